"""What a store holds, as `xenstore-ls -fp` prints it, and the events it sends, made comparable between runs.

`recorded/` has what a host on Debian's C xenstored 4.17 holds: `fresh` before any client wrote, `dom0` ready
to create guests, `running` with one guest with a disk and an interface, `after` its shutdown; `events` is
what a watch on / was sent in that guest's life, each path as often as it ever was. Every run
leaves its own in the folder of its logs under the same names.
"""

import re
from pathlib import Path

RECORDED = Path(__file__).parent / "recorded"

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: Nodes whose value is a matter of time, of memory, or of where the images lie.
VARYING = re.compile(
    r"/(?P<key>ring-ref|[rt]x-ring-ref|event-channel[-rtx]*|port|start_time|kernel|ramdisk)"
    r" = \"[0-9/][^\"]*\""
)


def comparable(dump: str) -> list[str]:
    """The lines of a dump, sorted, without what differs from one run to the next."""
    lines = (VARYING.sub(r'/\g<key> = "*"', UUID.sub("UUID", line)) for line in dump.splitlines())
    return sorted(lines)


def recorded(name: str) -> list[str]:
    """The comparable lines of the recorded dump `name`."""
    return (RECORDED / f"{name}.txt").read_text().splitlines()
