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

# --- what a disk is: a file fDEVICE:INODE, a partition, wedge or volume bMAJOR:MINOR ---------------------

# lies_on PATH: sets $own and $over; status 1: $said tells why they cannot be known
lies_on() {
    if [ -b "$1" ]; then
        said=$(stat -L -f '%Hr %Lr' "$1" 2>&1) || return 1
        lies_on_number "${said% *}" "${said#* }"
    else
        said=$(stat -L -f %d:%i "$1" 2>&1) || return 1
        own=f$said
        over=
    fi
}

# lies_on_physical DEV_T: as lies_on, of what `physical` says
lies_on_physical() {
    case $1 in
    '' | *[!0-9]*) return 1 ;;
    *) lies_on_number $((($1 >> 8) & 4095)) $(((($1 >> 12) & 1048320) | ($1 & 255))) ;;
    esac
}

# lies_on_number MAJOR MINOR: as lies_on
lies_on_number() {
    find_majors
    own=b$1:$2
    over=
    case $1 in
    "$dk_major") lies_on_wedge "$2" ;;
    "$dm_major") lies_on_volume "$2" ;;
    *)
        split_minor "$2"
        whole=b$1:$raw_minor
        [ "$1" != "$vnd_major" ] || find_file
        if [ "$is_whole" = yes ]; then
            own=$whole
        else
            over=$whole
        fi
        ;;
    esac
}

# find_majors: those of drivers that are not like other disks, and which partition is the whole disk
find_majors() {
    [ -z "${raw_partition-}" ] || return 0
    raw_partition=$(sysctl -n kern.rawpartition 2>/dev/null) || raw_partition=3
    vnd_major=$(stat -L -f %Hr "$dev_dir/vnd0d" 2>/dev/null) || vnd_major=none
    dk_major=none dm_major=none
    [ ! -e "$dev_dir/dk0" ] || dk_major=$(stat -L -f %Hr "$dev_dir/dk0" 2>/dev/null) || dk_major=none
    for volume in "$dev_dir"/mapper/*; do
        [ ! -b "$volume" ] || dm_major=$(stat -L -f %Hr "$volume" 2>/dev/null) || dm_major=none
    done
}

# split_minor MINOR: $disk_unit, $raw_minor (of its whole disk) and $is_whole, as machine/disklabel.h has it; x86
# had room for eight partitions at first.  Its c, the part of the disk that is NetBSD's, holds the others.
split_minor() {
    if [ "$raw_partition" = 3 ]; then
        disk_unit=$(($1 / 8 % 65536))
        high=$(($1 / 524288))
        partition=$(($1 % 8 + high * 8))
        raw_minor=$((disk_unit * 8 + 3))
    else
        disk_unit=$(($1 / 16))
        partition=$(($1 % 16))
        raw_minor=$((disk_unit * 16 + raw_partition))
    fi
    is_whole=no
    case $partition in
    2 | "$raw_partition") is_whole=yes ;;
    esac
}

# find_file: $whole is the file in vnd $disk_unit, if it has one: "vnd0: /vm (/dev/wd0e) inode 12"
find_file() {
    said=$(vnconfig -l "vnd$disk_unit" 2>/dev/null) || return 0
    case $said in
    *" inode "*[0-9])
        inode=${said##* inode }
        directory=${said#*: }
        device=' (' # mksh takes one within the braces for its own
        said=$(stat -L -f %d "${directory%%"$device"*}" 2>/dev/null) && whole=f$said:$inode
        ;;
    esac
}

# lies_on_wedge UNIT: "dk0 at wd0: name", and more lines
lies_on_wedge() {
    said=$(dkctl "dk$1" getwedgeinfo 2>/dev/null) || return 0
    parent=${said#* at }
    parent=${parent%%:*}
    letter=d
    [ "$raw_partition" = 3 ] || letter=c
    kept=$own
    if lies_on "$dev_dir/$parent$letter"; then
        over="$own $over"
    fi
    own=$kept
}

# lies_on_volume MINOR: "2 dependencies : (0, 4) (168, 1)"
lies_on_volume() {
    said=$(dmsetup deps -j "$dm_major" -m "$1" 2>/dev/null) || return 0
    volume=$own
    below=
    IFS='(),: '
    # shellcheck disable=SC2086 # words are what is wanted
    set -- $said
    IFS=" 	$nl"
    while [ $# -gt 0 ]; do
        case $1/${2-} in
        */*[!0-9]* | */ | /* | *[!0-9]*/*) shift ;;
        *)
            if [ "$1" = "$dm_major" ]; then # no deeper: one volume on another is no more than a snapshot
                own=b$1:$2
                over=
            else
                lies_on_number "$1" "$2"
            fi
            below="$below $own $over"
            shift 2
            ;;
        esac
    done
    own=$volume
    over=$below
}

# meet_dom0: refuses if dom0 has it mounted or swaps to it
meet_dom0() {
    listed=$(mount 2>&1) || refuse "cannot be compared with what is mounted: $listed"
    while IFS= read -r entry; do
        source=${entry%% on /*}
        [ -b "$source" ] || continue
        case $access$entry in
        r*read-only*) continue ;;
        esac
        directory=${entry#* on }
        ! lies_on "$source" || taken_by_dom0 "mounted on ${directory%% type *}, as $source"
    done <<END
$listed
END
    listed=$(swapctl -l 2>&1) || listed=
    while read -r source _; do
        case $source in
        /*) ! lies_on "$source" || taken_by_dom0 "in use for swapping, as $source" ;;
        esac
    done <<END
$listed
END
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
