# The initiator of NetBSD, iscsid and iscsictl.  Sourced by block-iscsi.
#
# iscsictl does not say which sd a session has become: it is the one that was not there before.  Hence one
# log-in at a time.
# shellcheck disable=SC2034,SC2154 # variables come from those that source this, and go there

where_secrets_are="log in by hand with iscsictl, and use the disk as phy:sdN"

# log_in: $path is the block device of the target
log_in() {
    [ "$lun$multipath" = 0n ] || fail "lun= and multipath= are not for NetBSD"
    make_state_dir
    exec 9>"$state_dir/iscsi.lock" || fail "$state_dir/iscsi.lock cannot be written"
    said=$(flock 9 2>&1 9>&9) || fail "flock: $said" # said once more, as ksh does not hand it on else
    run sysctl -n hw.disknames
    disks=" $said "
    run iscsictl add_target -n "$iqn" -a "$address" -p "$port"
    # "Added Target 1, Portal 2"
    target=${said#*Target }
    target=${target%%,*}
    id=${said##*Portal }
    remember "$target"
    run iscsictl login -P "${id%% *}"
    # "Created Session 3, Connection 1"
    session=${said#*Session }
    remember "$target ${session%%,*}"
    await_disk
    exec 9>&-
    path=$dev_dir/${disk}d
    [ -e "$path" ] || run make_nodes "$disk"
}

# await_disk: $disk is the sd that has come
await_disk() {
    tries=20
    while :; do
        run sysctl -n hw.disknames
        for disk in $said; do
            case $disk in
            sd*) ;;
            *) continue ;;
            esac
            case $disks in
            *" $disk "*) ;;
            *) return ;;
            esac
        done
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "logged in to $iqn, but no disk has appeared"
        sleep 1
    done
}

# log_out: of what was remembered; status 1: $said tells why it cannot be
log_out() {
    case $remembered in
    *" "*) said=$(iscsictl logout -I "${remembered#* }" 2>&1) || return ;;
    esac
    target=${remembered%% *}
    remember "$target"
    said=$(iscsictl remove_target -I "$target" 2>&1) || return
    forget
}
