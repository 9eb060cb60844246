# The initiator of Linux, open-iscsi.  Sourced by block-iscsi.
# shellcheck disable=SC2034,SC2154 # variables come from those that source this, and go there

where_secrets_are="iscsiadm -m node ... -o update -n node.session.auth.password, or /etc/iscsi/iscsid.conf"

# log_in: $path is the block device of the target
log_in() {
    make_state_dir # once logged in, it is too late to find out that it cannot be made
    if said=$(iscsiadm -m node -T "$iqn" -p "$portal" --login 2>&1); then
        :
    elif [ $? -eq 15 ]; then
        fail "there is a session with $iqn already: iscsiadm -m session"
    else # it may not know the target yet
        run iscsiadm -m discovery -t sendtargets -p "$portal"
        run iscsiadm -m node -T "$iqn" -p "$portal" --login
    fi
    remember "$portal $iqn"
    await_disk "$dev_dir/disk/by-path/ip-$portal-iscsi-$iqn-lun-$lun"
    [ "$multipath" = n ] || find_multipath
}

# await_disk PATH: udev makes it
await_disk() {
    path=$1
    tries=20
    until [ -e "$path" ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "logged in to $iqn, but $path has not appeared"
        sleep 1
    done
}

find_multipath() {
    run multipath -ll -v 1 "$path"
    path=$dev_dir/mapper/$said
    [ -e "$path" ] || fail "multipath says '$said', but $path does not exist"
}

# log_out: of what was remembered; status 1: $said tells why it cannot be
log_out() {
    said=$(iscsiadm -m node -T "${remembered#* }" -p "${remembered%% *}" --logout 2>&1) ||
        [ $? -eq 21 ] || return 1 # 21: there is no such session any more
    forget
}
