"""What somebody may have meant by a word that is no sub-command: a near one, or what others call so.

Imported only once there is such a word.
"""

from __future__ import annotations

from difflib import get_close_matches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: Longer words are near to nothing.
LONGEST = 30
#: How like a word must be: one letter amiss in a short one.
NEARNESS = 0.7
SHOWN = 3

#: What virsh, incus, docker and systemctl call what xl has: the command lines to try, best first.  The first
#: whose sub-command is there is told.
#: Source: virsh(1) of libvirt, `incus --help`.
ELSEWHERE: dict[str, tuple[str, ...]] = {
    "start": ("start", "create"),
    "launch": ("create",),
    "init": ("create -p", "create"),
    "boot": ("create",),
    "run": ("create -c", "create"),
    "up": ("autostart", "create"),
    "stop": ("shutdown",),
    "halt": ("shutdown",),
    "poweroff": ("shutdown",),
    "down": ("autostop", "shutdown"),
    "restart": ("reboot",),
    "reset": ("reboot -F", "reboot"),
    "kill": ("destroy",),
    "delete": ("delete", "destroy"),
    "remove": ("delete", "destroy"),
    "rm": ("delete", "destroy"),
    "define": ("new", "create"),
    "undefine": ("delete", "destroy"),
    "new": ("new", "create"),
    "ls": ("list",),
    "ps": ("list",),
    "show": ("list -l", "list"),
    "status": ("list",),
    "state": ("list",),
    "dominfo": ("list -l", "list"),
    "domstate": ("list",),
    "dumpxml": ("list -l", "list"),
    "config": ("list -l", "list"),
    "domuuid": ("vm-list", "list -v"),
    "domrename": ("rename",),
    "move": ("rename",),
    "mv": ("rename",),
    "edit": ("edit", "config-update"),
    "shell": ("console",),
    "exec": ("console",),
    "attach": ("console",),
    "connect": ("console",),
    "ttyconsole": ("console",),
    "vncdisplay": ("vncviewer",),
    "domdisplay": ("vncviewer",),
    "stats": ("top",),
    "domstats": ("top",),
    "cpu-stats": ("top",),
    "xentop": ("top",),
    "monitor": ("events",),
    "event": ("events",),
    "log": ("dmesg",),
    "logs": ("dmesg",),
    "nodeinfo": ("info",),
    "hostinfo": ("info",),
    "version": ("info",),
    "capabilities": ("info",),
    "setmem": ("mem-set",),
    "setmaxmem": ("mem-max",),
    "setvcpus": ("vcpu-set",),
    "vcpuinfo": ("vcpu-list",),
    "vcpupin": ("vcpu-pin",),
    "schedinfo": ("sched-credit2",),
    "attach-disk": ("block-attach",),
    "detach-disk": ("block-detach",),
    "domblklist": ("block-list",),
    "attach-interface": ("network-attach",),
    "detach-interface": ("network-detach",),
    "domiflist": ("network-list",),
    "change-media": ("cd-insert",),
    "attach-device": ("block-attach", "network-attach"),
    "send-key": ("sysrq",),
    "inject-nmi": ("trigger",),
    "dump": ("dump-core",),
    "managedsave": ("save",),
    "snapshot": ("save",),
    "validate": ("config-check", "create -n"),
    "check": ("config-check", "create -n"),
}


def meant(word: str, names: Sequence[str]) -> list[str]:
    """What was perhaps meant, at most `SHOWN`, best first: command lines that begin with one of the names."""
    lower = word.lower()
    for line in ELSEWHERE.get(lower, ()):
        if line.split()[0] in names:
            return [line]
    if lower in names:
        return [lower]
    return get_close_matches(lower, names, SHOWN, NEARNESS) if len(word) <= LONGEST else []
