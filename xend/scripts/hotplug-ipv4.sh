# The two ends of a guest's own network.  Sourced by vif-nat, and by vif-route on NetBSD.
# shellcheck disable=SC2034,SC2154 # variables come from those that source this, and go there

# ends_of ADDRESS[/PREFIX]: sets $guest, $dom0, $prefix.  dom0's end is the first address of the network, the
# second if the guest has that; a network of four addresses where none is said.
ends_of() {
    guest=${1%%/*}
    prefix=30
    case $1 in
    */*) prefix=${1#*/} ;;
    esac
    case $prefix in
    8 | 9 | [12][0-9] | 30) ;;
    *) fail "$1: the prefix is one of 8 to 30" ;;
    esac
    is_ipv4 "$guest" || fail "$1 is no IPv4 address"
    split=$guest.
    bits=$prefix
    network=
    broadcast=
    while [ -n "$split" ]; do
        octet=${split%%.*}
        split=${split#*.}
        # What of this octet is the host's.
        host=255
        [ "$bits" -le 0 ] || host=$((255 >> (bits < 8 ? bits : 8)))
        bits=$((bits - 8))
        network=$network.$((octet & (255 - host)))
        broadcast=$broadcast.$((octet | host))
    done
    network=${network#.}
    case $guest in
    "$network" | "${broadcast#.}") fail "$1 is the first or last address of its network; a guest has one between" ;;
    esac
    dom0=${network%.*}.$((${network##*.} + 1))
    [ "$dom0" != "$guest" ] || dom0=${network%.*}.$((${network##*.} + 2))
}

# is_ipv4 TEXT: four numbers of 0 to 255
is_ipv4() {
    octets=0
    split=$1.
    while [ -n "$split" ]; do
        case ${split%%.*} in
        [0-9] | [1-9][0-9] | 1[0-9][0-9] | 2[0-4][0-9] | 25[0-5]) octets=$((octets + 1)) ;;
        *) return 1 ;;
        esac
        split=${split#*.}
    done
    [ "$octets" -eq 4 ]
}

# own_network: $own is the address of this device's guest when none was given; each has its network of four
own_network() {
    [ "$devid" -lt 64 ] || fail "vif $devid has no network of its own, only vif 0 to 63; give ip="
    own=10.$((domid / 256)).$((domid % 256)).$((devid * 4 + 2))/30
}
