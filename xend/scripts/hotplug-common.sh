# Sourced by the hotplug scripts: how they were called, their backend's nodes, and what they say in the end.
# docs/hotplug.md has the contract.
#
# From here on: $script, $action (in or out), $backend, $kind, $domid, $devid, and $key, which names the
# device among all of this domain's.  A script that fails on the way in calls its undo().
# shellcheck disable=SC2034 # variables are for those that source this

set -u
umask 022
LC_ALL=C
PATH=${PATH:-/bin}:/usr/pkg/sbin:/usr/pkg/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH

script=${0##*/}
scripts=${0%/*}
state_dir=${XEN_HOTPLUG_STATE:-/var/run/xen-hotplug}
# Where device nodes are; /dev but in tests.
dev_dir=${XEN_HOTPLUG_DEV:-/dev}
nl='
'

# say TEXT: a line of the log
say() {
    printf '%s: %s\n' "$script" "$*" >&2
}

# undo: what a script takes back when it fails; each has its own
undo() {
    :
}

# fail TEXT: take back what was done, tell the toolstack, end.  A backend that is gone stays gone.
fail() {
    one_line "$*"
    say "$line"
    if [ "$action" = in ]; then
        undo
        if xenstore-exists "$backend" 2>/dev/null; then
            tell hotplug-error "$script: $line" hotplug-status error
        fi
    fi
    exit 1
}

# one_line TEXT: $line is the text, its lines joined, its end cut off if it is long
one_line() {
    line=
    rest=$1
    while :; do
        case $rest in
        *"$nl"*) line="$line${rest%%"$nl"*}; " rest=${rest#*"$nl"} ;;
        *) break ;;
        esac
    done
    line=$line$rest
    [ ${#line} -le 1000 ] || line=$(printf '%.1000s' "$line")
}

# run COMMAND...: $said is what it printed; the script fails if it does
run() {
    said=$("$@" 2>&1 </dev/null) || fail "$*: $said"
}

# attempt COMMAND...: its output is this script's; status 0 whatever becomes of it
attempt() {
    "$@" >&2 </dev/null || say "$1 failed with status $?: $*"
}

# --- the backend's nodes ----------------------------------------------------------------------------

# read_nodes: all of them in one go, for node()
read_nodes() {
    nodes=$(xenstore-ls -f "$backend" 2>&1) || fail "$backend cannot be read: $nodes"
    nodes=$nl$nodes$nl
}

# node KEY: $value is its value; status 1: it is empty or not there
node() {
    value=
    before="$nl$backend/$1 = \""
    after="\"$nl"
    case $nodes in
    *"$before"*) ;;
    *) return 1 ;;
    esac
    value=${nodes#*"$before"}
    value=${value%%"$after"*}
    case $value in
    *\\*) run xenstore-read -R "$backend/$1" && value=$said ;; # xenstore-ls has escaped it
    esac
    [ -n "$value" ]
}

# tell KEY VALUE ...: written below the backend, all or none
tell() {
    raw=
    left=$#
    while [ "$left" -gt 0 ]; do
        case $2 in
        *\\*) raw=-R ;;
        esac
        set -- "$@" "$backend/$1" "$2"
        shift 2
        left=$((left - 2))
    done
    xenstore-write ${raw:+"$raw"} "$@"
}

# connected [KEY VALUE ...]: the device is in
connected() {
    [ "$reports" = yes ] || return 0
    said=$(tell "$@" hotplug-status connected 2>&1) || fail "nodes cannot be written: $said"
}

# --- what a backend has of this host, for when its nodes are gone -----------------------------------

# remember TEXT: kept until forget; recall fails without it, else sets $remembered
remember() {
    make_state_dir
    printf '%s\n' "$*" >"$memory" || fail "$memory cannot be written"
}

make_state_dir() {
    [ -d "$state_dir" ] || run mkdir -p "$state_dir"
}

recall() {
    remembered=
    [ -f "$memory" ] && read -r remembered <"$memory"
}

forget() {
    rm -f "$memory"
}

# --- how it was called ------------------------------------------------------------------------------

case ${1-} in
/*) backend=${1%/} verb=state-${2-} ;;   # NetBSD: path, state
*) backend=${XENBUS_PATH-} verb=${1-} ;; # Linux: verb; the path in the environment
esac
devid=${backend##*/}
domid=${backend%/*}
kind=${domid%/*}
domid=${domid##*/}
kind=${kind##*/}
case $kind/$domid/$devid in
vif/*[0-9]/*[0-9] | vbd/*[0-9]/*[0-9]) ;;
*) devid=x ;;
esac
case $domid$devid in
*[!0-9]*)
    say "usage: $0 /local/domain/D/backend/vif|vbd/DOMID/DEVID 2|6"
    say "or, as on Linux: XENBUS_PATH=backend/vif|vbd/DOMID/DEVID $0 add|remove|online|offline"
    exit 1
    ;;
esac
key=$kind-$domid-$devid
memory=$state_dir/$key.$script
# Whether hotplug-status is this script's to write: not for a device model's tap beside the vif.
reports=yes
case $verb/$kind in
state-2/* | online/vif | add/vbd) action=in ;;
state-6/* | offline/vif | remove/vbd) action=out ;;
add/vif | remove/vif)
    case " $* " in
    *" type_if=tap "*) reports=no ;;
    *) exit 0 ;;
    esac
    action=in
    [ "$verb" = add ] || action=out
    ;;
*) exit 0 ;;
esac

system=$(uname -s) || fail "uname failed"
case $system in
Linux)
    # shellcheck source-path=SCRIPTDIR source=hotplug-linux.sh
    . "$scripts/hotplug-linux.sh"
    ;;
NetBSD)
    # shellcheck source-path=SCRIPTDIR source=hotplug-netbsd.sh
    . "$scripts/hotplug-netbsd.sh"
    ;;
*) fail "$system is neither Linux nor NetBSD" ;;
esac
