# What is Linux's way: losetup, ip, nft, iscsiadm.  Sourced by hotplug-common.sh.
# shellcheck disable=SC2034,SC2154 # variables come from those that source this, and go there

links=/sys/class/net
# Where the kernel tells of itself; these but in tests.
sys_dir=${XEN_HOTPLUG_SYS:-/sys}
proc_dir=${XEN_HOTPLUG_PROC:-/proc}
# How long an interface is waited for, in tenths of a second.
patience=50

# --- disks ------------------------------------------------------------------------------------------

units=loop
units_max=4096
# The node that says which unit a backend has.
unit_key=node

# list_units: what unit_is_free looks at; here sysfs is looked at directly
list_units() {
    :
}

unit_is_free() {
    [ ! -e "/sys/block/loop$unit/loop" ]
}

unit_exists() {
    :
}

make_unit() {
    : # losetup makes those that are missing
}

attach_unit() {
    case $2 in
    r) losetup -r "/dev/loop$unit" "$1" ;;
    *) losetup "/dev/loop$unit" "$1" ;;
    esac
}

detach_unit() {
    losetup -d "/dev/loop$unit"
}

unit_path() {
    path=/dev/loop$unit
}

# physical PATH: $physical is what the kernel's backend takes for it: major:minor, hexadecimal
physical() {
    run stat -L -c %t:%T "$1"
    physical=$said
}

# disk_in PATH [KEY VALUE]: the device is in, and this is its block device
disk_in() {
    physical "$1"
    path=$1
    shift
    connected "$@" physical-device "$physical" physical-device-path "$path"
}

warn_of_holes() {
    : # loop devices take sparse files
}

# --- what a disk is: a file fDEVICE:INODE, a block device bMAJOR:MINOR ---------------------------------

# lies_on PATH: sets $own and $over; status 1: $said tells why they cannot be known
lies_on() {
    if [ -b "$1" ]; then
        said=$(stat -L -c %t:%T "$1" 2>&1) && lies_on_physical "$said"
    else
        said=$(stat -L -c %d:%i "$1" 2>&1) || return 1
        own=f$said
        over=
    fi
}

# lies_on_physical MAJOR:MINOR: as lies_on, of what `physical` says
lies_on_physical() {
    case $1 in
    *[!0-9a-f:]* | *:*:* | :* | *:) return 1 ;;
    *:*) lies_on_number $((0x${1%:*})):$((0x${1#*:})) ;;
    *) return 1 ;;
    esac
}

# lies_on_number MAJOR:MINOR: as lies_on, decimal
lies_on_number() {
    over=
    if [ -e "$sys_dir/dev/block/$1/loop/backing_file" ]; then
        find_loop "$1"
    else
        own=b$1
        add_lower "$1"
    fi
}

# add_lower MAJOR:MINOR: $over has what it lies on, too
add_lower() {
    set -- "$sys_dir/dev/block/$1"
    [ ! -e "$1/partition" ] || add_device "$1/../dev"
    for lower in "$1"/slaves/*/dev; do
        [ ! -e "$lower" ] || add_device "$lower"
    done
}

# add_device FILE: $over has the device whose number is in the file, and what that lies on
add_device() {
    read -r lower <"$1" || return 0
    case " $over " in
    *" b$lower "*) return 0 ;;
    esac
    if [ -e "$sys_dir/dev/block/$lower/loop/backing_file" ]; then
        kept=$own
        find_loop "$lower"
        over="$over $own"
        own=$kept
    else
        over="$over b$lower"
        add_lower "$lower"
    fi
}

# find_loop MAJOR:MINOR: $own is the file of a loop device, $over what lies below if that is a device.  losetup
# knows the inode; the name in sysfs may be another file's by now.
find_loop() {
    read -r backing <"$sys_dir/dev/block/$1/loop/backing_file" || backing=
    if [ -b "$backing" ]; then
        lies_on "$backing" && return
    fi
    [ -n "${loops-}" ] || loops=$(losetup --list --noheadings --raw --output MAJ:MIN,BACK-MAJ:MIN,BACK-INO 2>/dev/null) ||
        loops=
    loops=${loops:-none}
    own=b$1
    case $nl$loops in
    *"$nl$1 "*)
        found=$nl$loops
        found=${found#*"$nl$1 "}
        found=${found%%"$nl"*}
        number=${found% *}
        minor=${number#*:}
        own=f$(((${number%:*} << 8) | (minor & 255) | ((minor & ~255) << 12))):${found#* }
        ;;
    *) ! said=$(stat -L -c %d:%i "$backing" 2>&1) || own=f$said ;;
    esac
}

# meet_dom0: refuses if dom0 has it mounted or swaps to it
meet_dom0() {
    [ ! -r "$proc_dir/self/mountinfo" ] || meet_mounts <"$proc_dir/self/mountinfo"
    [ ! -r "$proc_dir/swaps" ] || meet_swaps <"$proc_dir/swaps"
}

meet_mounts() {
    while read -r _ _ number _ directory rest; do
        rest=${rest#* - }
        source=${rest#* }
        options=,${source#* },
        source=${source%% *}
        if [ "$access" = r ]; then
            case $options in
            *,ro,*) continue ;;
            esac
        fi
        case $number in
        0:*)
            [ -b "$source" ] || continue # of no device
            lies_on "$source" || continue
            ;;
        *) lies_on_number "$number" ;;
        esac
        taken_by_dom0 "mounted on $directory, as $source"
    done
}

meet_swaps() {
    while read -r source _; do
        [ -e "$source" ] || continue
        ! lies_on "$source" || taken_by_dom0 "in use for swapping, as $source"
    done
}

# --- interfaces -------------------------------------------------------------------------------------

# find_interface: $dev is this device's, under whatever name it has now; status 1: there is none
find_interface() {
    if [ "$reports" = no ]; then
        dev=${INTERFACE-}
    else
        dev=${vif:-vif$domid.$devid}
        [ -e "$links/$dev" ] || dev=vif$domid.$devid
    fi
    [ -n "$dev" ] && [ -e "$links/$dev" ]
}

# name_interface: $dev is this device's, called as the configuration says
name_interface() {
    node vifname || :
    wanted=$value
    [ -z "$wanted" ] || [ "$reports" = yes ] || wanted=$wanted-emu
    if ! await_interface; then
        dev=
        fail "there is no interface ${vif:-vif$domid.$devid} after $((patience / 10)) s"
    fi
    case $wanted in
    '' | "$dev") return 0 ;;
    esac
    [ ! -e "$links/$wanted" ] || fail "vifname=$wanted: there is an interface of that name already"
    run ip link set dev "$dev" name "$wanted"
    dev=$wanted
}

# await_interface: as find_interface, or by the wanted name, given by an earlier run; the kernel's backend
# says that it is there before its interface is
await_interface() {
    left=$patience
    until find_interface; do
        if [ -n "$wanted" ] && [ -e "$links/$wanted" ]; then
            dev=$wanted
            return
        fi
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        sleep 0.1
    done
}

# find_named_interface: as find_interface, but of one that may have been renamed
find_named_interface() {
    find_interface && return
    dev=$(xenstore-read "$backend/vifname" 2>/dev/null) || return 1
    [ "$reports" = yes ] || dev=$dev-emu
    [ -e "$links/$dev" ]
}

# join_bridge: $dev becomes a port of $bridge, with its MTU or that of the configuration
join_bridge() {
    [ -e "$links/$bridge" ] || fail "bridge $bridge does not exist: ip link add $bridge type bridge"
    [ -d "$links/$bridge/bridge" ] || fail "$bridge is not a bridge (for Open vSwitch: script=vif-openvswitch)"
    node mtu || read -r value <"$links/$bridge/mtu"
    mtu=$value
    # dom0 itself does not talk on this interface.
    quiet="/proc/sys/net/ipv6/conf/$dev/disable_ipv6"
    [ ! -e "$quiet" ] || echo 1 >"$quiet"
    set -- mtu "$mtu" arp off multicast off master "$bridge" up
    # The kernel gives a vif this address, which no bridge takes for its own; taps are not that clever.
    [ "$reports" = yes ] || set -- address fe:ff:ff:ff:ff:ff "$@"
    run ip link set dev "$dev" "$@"
    [ "$mtu" = 1500 ] || [ "$reports" = no ] || ! node frontend ||
        attempt xenstore-write "$value/mtu" "$mtu"
}

leave_bridge() {
    attempt ip link set dev "$dev" nomaster down
}

# source_of LINK: $said is its first IPv4 address
source_of() {
    run ip -4 -o addr show dev "$1"
    # shellcheck disable=SC2086 # words are what is wanted: number, name, inet, address/prefix
    set -- "$1" $said
    said=${5-}
    said=${said%%/*}
    is_ipv4 "$said" || fail "gatewaydev $1 has no IPv4 address"
}

# add_routes: dom0 reaches $addresses by $dev, and answers there for all others
add_routes() {
    run ip link set dev "$dev" up
    set --
    if node gatewaydev; then
        source_of "$value"
        set -- src "$said"
    fi
    for address in $addresses; do
        case $address in
        *:*) run ip -6 route replace "$address" dev "$dev" ;;
        *) run ip route replace "$address" dev "$dev" "$@" ;;
        esac
    done
    answer_for_others
    check_forwarding
}

drop_routes() {
    attempt ip link set dev "$dev" down # and its routes go
}

answer_for_others() {
    echo 1 >"/proc/sys/net/ipv4/conf/$dev/proxy_arp" || fail "proxy_arp of $dev cannot be set"
}

check_forwarding() {
    read -r forwards </proc/sys/net/ipv4/ip_forward
    [ "$forwards" = 1 ] || say "dom0 does not forward packets: sysctl -w net.ipv4.ip_forward=1"
}

# set_address: $dev has $dom0, and leads to $guest
set_address() {
    run ip link set dev "$dev" up
    run ip addr replace "$dom0" peer "$guest/32" dev "$dev"
    answer_for_others
    check_forwarding
}

drop_address() {
    attempt ip addr flush dev "$dev"
    attempt ip link set dev "$dev" down
}

# add_nat: the rest of the world takes $guest for dom0.  One rule does that for a set of guests.
add_nat() {
    said=$(nft -f - 2>&1 <<END
add table ip xend
add set ip xend guests { type ipv4_addr; }
add chain ip xend postrouting { type nat hook postrouting priority 100; policy accept; }
flush chain ip xend postrouting
add rule ip xend postrouting ip saddr @guests ip daddr != @guests masquerade comment "vif-nat"
add element ip xend guests { $guest }
END
    ) || fail "nft: $said"
}

# drop_nat: it is in the set no more; added first, so that one that was not there is no error
drop_nat() {
    nft -f - >&2 <<END
add table ip xend
add set ip xend guests { type ipv4_addr; }
add element ip xend guests { $guest }
delete element ip xend guests { $guest }
END
}
