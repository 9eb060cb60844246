"""A hotplug script that stands still, as long as a test wants."""

import os
import select
from pathlib import Path

from tests.manager.daemon import PATIENCE_SECONDS

_SCRIPT = """#!/bin/sh
case $1 in
add | online)
    echo >{started}
    read nothing <{go}
    ;;
esac
exec {real} "$@"
"""


class SlowScript:
    """In the place of a script; as it is asked to put a device in, it waits before it does."""

    def __init__(self, script: Path) -> None:
        real, started, go = (script.with_name(f"{script.name}.{name}") for name in ("real", "started", "go"))
        script.rename(real)
        for fifo in (started, go):
            os.mkfifo(fifo)
        # Both ends of both, so that nobody waits as it opens one.
        self._started = os.open(started, os.O_RDWR)
        self._go = os.open(go, os.O_RDWR)
        script.write_text(_SCRIPT.format(started=started, go=go, real=real))
        script.chmod(0o755)

    def await_start(self) -> None:
        """Returns once it stands still."""
        assert select.select([self._started], [], [], PATIENCE_SECONDS)[0], "the script was not run"
        os.read(self._started, 1)

    def go_on(self) -> None:
        """Let it do what it is for, once."""
        os.write(self._go, b"\n")

    def close(self) -> None:
        for fd in (self._started, self._go):
            os.close(fd)
