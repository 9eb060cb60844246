# What is NetBSD's way: vnconfig, ifconfig, brconfig, npfctl, iscsictl.  Sourced by hotplug-common.sh.
# shellcheck disable=SC2034,SC2154 # variables come from those that source this, and go there

# --- disks ------------------------------------------------------------------------------------------

units=vnd
units_max=1024
# The node that says which unit a backend has.
unit_key=vnd

# list_units: what unit_is_free looks at; status 1: $said tells why it cannot be known
list_units() {
    if ! disks=$(sysctl -n hw.disknames 2>&1); then
        said=$disks
        return 1
    fi
    disks=" $disks "
}

unit_is_free() {
    case $disks in
    *" vnd$unit "*) return 1 ;;
    esac
}

unit_exists() {
    [ -e "$dev_dir/vnd${unit}d" ]
}

# make_unit: its nodes; /dev has those of four units at first
make_unit() {
    make_nodes "vnd$unit"
}

make_nodes() {
    (cd "$dev_dir" && sh ./MAKEDEV "$1")
}

attach_unit() {
    case $2 in
    r) vnconfig -r "vnd$unit" "$1" ;;
    *) vnconfig "vnd$unit" "$1" ;;
    esac
}

detach_unit() {
    vnconfig -u "vnd$unit"
}

unit_path() {
    path=$dev_dir/vnd${unit}d
}

# physical PATH: $physical is what the kernel's backend takes for it: a dev_t, decimal
physical() {
    run stat -L -f %r "$1"
    physical=$said
}

# disk_in PATH [KEY VALUE]: the device is in, and this is its block device
disk_in() {
    physical "$1"
    shift
    connected "$@" physical-device "$physical"
}

# warn_of_holes FILE: vnd has been seen to lock up on files that are not fully written
warn_of_holes() {
    said=$(stat -L -f '%b %z' "$1") || return 0
    [ $((${said% *} * 512)) -ge "${said#* }" ] ||
        say "$1 is sparse, which vnd may lock up on: write it whole, dd if=/dev/zero of=FILE"
}

# --- interfaces -------------------------------------------------------------------------------------

# name_interface: $dev is this device's; the kernel has called it, and written its name
name_interface() {
    node vifname || value=xvif${domid}i$devid
    dev=$value
}

# find_named_interface: the kernel takes the interface away by itself, and with it routes and membership
find_named_interface() {
    return 1
}

# join_bridge: $dev becomes a member of $bridge
join_bridge() {
    set -- up
    ! node mtu || set -- mtu "$value" up
    run ifconfig "$dev" "$@"
    said=$(brconfig "$bridge" add "$dev" 2>&1) && return
    why=$said
    case $why in
    *"not configured"*) fail "bridge $bridge does not exist: ifconfig $bridge create && brconfig $bridge up" ;;
    esac
    case " $(brconfig "$bridge" 2>&1) " in
    *[[:space:]]"$dev"[[:space:]]*) ;; # an earlier run has done it
    *) fail "brconfig $bridge add $dev: $why" ;;
    esac
}

leave_bridge() {
    brconfig "$bridge" delete "$dev" >/dev/null 2>&1 || : # it may not have come so far
    attempt ifconfig "$dev" down
}

# add_routes: the first of $addresses is the guest's on the network of $dev, the others are behind it
add_routes() {
    for address in $addresses; do
        case $address in
        *:*) fail "ip=$address: IPv6 is not routed here; give the interface its address and route by hand" ;;
        esac
        if [ -z "$dom0" ]; then
            ends_of "$address"
            set_address
        else
            run route -n add "-$(net_or_host "$address")" "$address" "$guest"
            behind="$behind $address"
        fi
    done
}

drop_routes() {
    for address in $behind; do
        attempt route -n delete "-$(net_or_host "$address")" "$address" "$guest"
    done
    [ -z "$dom0" ] || drop_address
}

net_or_host() {
    case $1 in
    */*) echo net ;;
    *) echo host ;;
    esac
}

# set_address: $dev has $dom0, on the network that $guest is on
set_address() {
    run ifconfig "$dev" inet "$dom0/$prefix" up
    [ "$(sysctl -n net.inet.ip.forwarding 2>&1)" = 1 ] ||
        say "dom0 does not forward packets: sysctl -w net.inet.ip.forwarding=1"
}

drop_address() {
    attempt ifconfig "$dev" inet "$dom0" delete
    attempt ifconfig "$dev" down
}

# add_nat: the rest of the world takes $guest for dom0, where npf.conf maps the table <xen>
add_nat() {
    said=$(npfctl table xen add "$guest" 2>&1) && return
    why=$said
    npfctl table xen test "$guest" >/dev/null 2>&1 || # an earlier run may have done it
        fail "npfctl table xen add $guest: $why (has npf.conf a table <xen>? see docs/hotplug.md)"
}

drop_nat() {
    said=$(npfctl table xen rem "$guest" 2>&1) && return
    why=$said
    npfctl table xen test "$guest" >/dev/null 2>&1 || return 0 # it was not there
    say "npfctl table xen rem $guest: $why"
    return 1
}
