# Disks in files: units of vnd or loop, one for each backend.  Sourced by block.
#
# unit-vnd0 in the state directory says whose a unit is; it is made so that of two scripts one gets it.
# KEY.block says which unit a backend has, so that it is found when the backend's nodes have gone first.
# shellcheck disable=SC2154 # variables come from those that source this, and go there

unit=

# claim: the unit is this backend's from now on; status 1: it is another's
claim() {
    (set -C && printf '%s\n' "$key" >"$state_dir/unit-$units$unit") 2>/dev/null
}

# give_back: it is nobody's any more
give_back() {
    rm -f "$memory" "$state_dir/unit-$units$unit"
    unit=
}

# is_ours: whether this backend has claimed the unit
is_ours() {
    owner=
    [ -f "$state_dir/unit-$units$unit" ] && read -r owner <"$state_dir/unit-$units$unit"
    [ "$owner" = "$key" ]
}

# take_unit FILE r|w: $unit is the first free one, and the file's
take_unit() {
    make_state_dir
    list_units || fail "$said"
    unit=0
    while [ "$unit" -lt "$units_max" ]; do
        if unit_is_free && claim; then
            remember "$unit"
            unit_exists || said=$(make_unit 2>&1) || break
            said=$(attach_unit "$1" "$2" 2>&1) && return
            if ! list_units || unit_is_free; then
                break
            fi
            give_back # somebody who knows nothing of claims was faster
        fi
        unit=$((unit + 1))
    done
    [ "$unit" -lt "$units_max" ] || said="all $units_max are in use"
    taken=$unit
    give_back
    fail "$1: $units$taken: ${said:-cannot be configured}"
}

# release_unit: take the file out of the unit and give it back; status 1: $said tells why it cannot be
release_unit() {
    tries=5
    until said=$(detach_unit 2>&1); do
        list_units && unit_is_free && break # it had no file
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 1 # the kernel may not have closed it yet
    done
    say "$units$unit is free"
    give_back
}

# find_unit: $unit is the one this backend has, by its own claim or by what another script wrote; else 1
find_unit() {
    if recall; then
        unit=$remembered
        is_ours && return
        forget
    fi
    unit=$(xenstore-read "$backend/$unit_key" 2>/dev/null) || unit=
    unit=${unit#/dev/}
    unit=${unit#"$units"}
    unit=${unit%[a-p]}
    case $unit in
    '' | *[!0-9]*) unit= ;;
    *) [ ! -e "$state_dir/unit-$units$unit" ] && return ;;
    esac
    unit=
    return 1
}
