# That no disk is written by two: the last look, after the toolstack's, at what every domain has on this host,
# whoever made it, and at what dom0 has mounted.  Sourced by the scripts of disks.
#
# A disk is a word, $own, and what it lies on are words, $over: a whole disk below a partition, devices below a
# volume.  The file in a vnd or loop device is what the device is.  lies_on and its kin of the system's file
# set them.  Two disks meet if they are one, or one lies on the other.
# shellcheck disable=SC2034,SC2154 # variables come from those that source this, and go there

# check_sharing PATH: fails if somebody else has it, unless all only read it or the mode says w!
check_sharing() {
    node mode || value=w
    case $value in
    *!) return ;;
    w*) value=w ;;
    *) value=r ;;
    esac
    # In a shell of its own, whose variables are nobody else's.
    why=$(look_around "$1" "$value") || fail "$1 ${why:-cannot be looked at}"
}

# look_around PATH r|w: what follows runs in that shell
look_around() {
    access=$2
    lies_on "$1" || refuse "is what nobody knows: $said"
    our_own=$own
    our_over=" $over "
    meet_domains
    meet_dom0
    exit 0
}

# refuse TEXT: ends that shell with the reason
refuse() {
    printf '%s\n' "$*"
    exit 1
}

# meets: whether what was found last and ours are one, or one lies on the other
meets() {
    [ "$own" != "$our_own" ] || return 0
    case " $over " in
    *" $our_own "*) return 0 ;;
    esac
    case $our_over in
    *" $own "*) return 0 ;;
    esac
    return 1
}

# taken_by_dom0 HOW: refuses if what was found last meets ours
taken_by_dom0() {
    ! meets || refuse "is in use: dom0 has it or a part of it $1"
}

# meet_domains: refuses if a domain has it
meet_domains() {
    top=${backend%/*/*/*}
    classes=$(xenstore-list "$top" 2>&1) || refuse "cannot be compared, as $top cannot be read: $classes"
    current=
    for class in $classes; do
        case $class in
        vbd | qdisk | tap*) ;;
        *) continue ;;
        esac
        listed=$(xenstore-ls -f "$top/$class" 2>&1) ||
            refuse "cannot be compared, as $top/$class cannot be read: $listed"
        read_devices <<END
$listed
END
        meet_device
        current=
    done
}

# read_devices: meet_device for each but the last of the backends of a class
read_devices() {
    while IFS= read -r entry; do
        case $entry in # most lines are of no interest, and there may be many
        */params\ =* | */mode\ =* | */dev\ =* | */state\ =* | */online\ =*) ;;
        */physical-device\ =* | */hotplug-status\ =* | */"$unit_key"\ =*) ;;
        *) continue ;;
        esac
        path=${entry%% = \"*}
        rest=${path#"$top/$class/"}
        case $rest in
        */*/*/*) continue ;;
        esac
        if [ "${path%/*}" != "$current" ]; then
            meet_device
            current=${path%/*}
            their_params='' their_mode=w their_physical='' their_unit='' their_dev='' their_end=''
        fi
        value=${entry#* = \"}
        value=${value%\"}
        case ${path##*/} in
        params)
            case $value in
            *\\*) value=$(xenstore-read -R "$path" 2>/dev/null) ;; # xenstore-ls has escaped it
            esac
            their_params=$value
            ;;
        mode) their_mode=${value%"${value#?}"} ;;
        physical-device) their_physical=$value ;;
        "$unit_key") their_unit=$value ;;
        dev) their_dev=$value ;;
        online | state) their_end=$their_end$value ;;
        hotplug-status) [ "$value" != error ] || their_end=failed ;;
        esac
    done
}

# meet_device: refuses if the backend that was read last has it
meet_device() {
    case $current in
    '' | "$backend") return 0 ;;
    esac
    case $their_end in
    06 | 60) return 0 ;; # it has let go for good
    failed*) [ -n "$their_physical" ] || return 0 ;;
    esac
    [ "$their_mode" = w ] || their_mode=r
    format=raw
    file=$their_params
    if [ "$class" != vbd ]; then
        format=${file%%:*}
        file=${file#*:}
    fi
    case $file in
    /* | '') ;;
    *) file=$dev_dir/$file ;;
    esac
    [ "$access$their_mode" = rr ] || ! find_theirs || ! meets || taken_by_domain "$their_mode"
    [ "$access" = w ] || return 0
    # What an image lies on is read for its domain.
    depth=8
    while [ "$depth" -gt 0 ] && find_backing "$format" "$file"; do
        ! lies_on "$file" || ! meets || taken_by_domain r
        format=any
        depth=$((depth - 1))
    done
}

# find_theirs: what the backend has; status 1: nothing that can be overwritten
find_theirs() {
    [ -n "$their_unit" ] || ! lies_on_physical "$their_physical" || return 0
    [ -n "$file" ] && lies_on "$file"
}

# taken_by_domain r|w: refuses, unless the domain is this one's other half: the same one before it moved or was
# made again, or its device model
taken_by_domain() {
    other=${current%/*}
    other=${other##*/}
    if [ "$other" != "$domid" ]; then
        ours=$(xenstore-read "/local/domain/$domid/vm" 2>/dev/null) || ours=
        theirs=$(xenstore-read "/local/domain/$other/vm" 2>/dev/null) || theirs=
        [ -z "$ours" ] || [ "$ours" != "$theirs" ] || return 0
        [ "$(xenstore-read "/local/domain/$domid/target" 2>/dev/null)" != "$other" ] || return 0
        [ "$(xenstore-read "/local/domain/$other/target" 2>/dev/null)" != "$domid" ] || return 0
    fi
    name=$(xenstore-read "/local/domain/$other/name" 2>/dev/null) || name="with domid $other"
    how="writes to it"
    [ "$1" = w ] || how="reads it"
    refuse "is in use: domain $name $how or a part of it as ${their_dev:-${current##*/}}, target $their_params"
}

# --- what backs an image --------------------------------------------------------------------------------

# find_backing FORMAT FILE: $file is the file that backs an image of this format (any: by its first bytes);
# status 1: none, or a header that makes no sense.  No image of raw bytes is looked into: they are a guest's.
find_backing() {
    case $1 in
    qcow | qcow2 | qed | vhd | any) ;;
    *) return 1 ;;
    esac
    [ -f "$2" ] || return 1
    magic=$(dd if="$2" bs=8 count=1 2>/dev/null | od -An -tx1 | tr -d ' \n')
    case $magic in
    514649fb0000000[123]) # big endian: offset at 8, size at 16
        number "$2" 8 1 2 3 4 5 6 7 8 && at=$number && number "$2" 16 1 2 3 4 && named "$2" "$at" "$number"
        ;;
    51454400*) # little endian: offset at 56, size at 60; a bit of the features says whether there is one
        number "$2" 16 1 && [ $((number & 1)) = 1 ] &&
            number "$2" 56 4 3 2 1 && at=$number && number "$2" 60 4 3 2 1 && named "$2" "$at" "$number"
        ;;
    636f6e6563746978) # big endian: where its second header is at 16, and there a name in UTF-16 at 64
        number "$2" 60 1 2 3 4 && [ "$number" = 4 ] &&
            number "$2" 16 1 2 3 4 5 6 7 8 && named "$2" $((number + 64)) 512
        ;;
    *) return 1 ;;
    esac
}

# number FILE OFFSET INDEX ...: $number is made of the bytes from there on, the highest first
number() {
    from=$1
    offset=$2
    shift 2
    bytes=$(dd if="$from" bs=1 skip="$offset" count=$# 2>/dev/null | od -An -tu1)
    number=0
    for index; do
        # shellcheck disable=SC2086 # words are what is wanted
        nth "$index" $bytes || return 1
        number=$((number * 256 + byte))
        [ "$number" -lt 1048576 ] || return 1 # no header is as long
    done
}

# nth NUMBER WORD ...: $byte is that word; status 1: there are fewer
nth() {
    [ $# -gt "$1" ] || return 1
    shift "$1"
    byte=$1
}

# named FILE OFFSET SIZE: $file is the name there, below the directory of FILE if it is relative
named() {
    [ "$3" -gt 0 ] && [ "$3" -le 1023 ] || return 1
    name=$(dd if="$1" bs=1 skip="$2" count="$3" 2>/dev/null | tr -d '\000')
    case $name in
    '') return 1 ;;
    json:* | nbd:*) return 1 ;; # no file by its name
    file:*) name=${name#file:} ;;
    esac
    case $name in
    /*) file=$name ;;
    *) file=${1%/*}/$name ;;
    esac
}
