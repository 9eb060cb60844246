"""Does what a guide says: every block of it, as it stands there."""

import re
from collections.abc import Callable, Iterable, Mapping

from tests.guide.book import Block
from tests.guide.compare import is_like
from tests.guide.host import Host

#: Commands that only look: what they show may come a moment later.
LOOKS = ("xl list", "xl block-list", "xl network-list", "xl info")
LOOKS_MOST = 50
#: What a boot prints beside what is shown: other services.
OTHERS = re.compile(r"^(\[.*\]|Starting (iscsid|npf)\.)\n", re.MULTILINE)
#: What does a command that goes on until somebody ends it.
Interactive = Callable[[Host, str], None]


def follow(host: Host, blocks: Iterable[Block], interactive: Mapping[str, Interactive]) -> None:
    """Do all that stands in blocks; what a command prints is compared with what is shown."""
    for block in blocks:
        if block.kind == "conf":
            host.put(block.path, block.text)
            continue
        for command, printed in block.commands():
            where = f"line {block.line}: {command}"
            if command in interactive:
                interactive[command](host, command)
            elif printed is None:
                done = host.typed(command)
                assert done.returncode == 0, (where, done.stdout)
            else:
                _shows(host, command, printed, where)


def _shows(host: Host, command: str, printed: str, where: str) -> None:
    """The command prints this, and succeeds."""
    for _ in range(LOOKS_MOST if command.startswith(LOOKS) else 1):
        done = host.typed(command)
        said = OTHERS.sub("", done.stdout) if command.startswith("shutdown") else done.stdout
        if is_like(said, printed):
            break
    assert is_like(said, printed), (where, said)
    assert done.returncode == 0, where
