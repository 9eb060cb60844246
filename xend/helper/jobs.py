"""What the helper can do."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from xend.helper import build, dump, save
from xend.helper.session import Session


class Job(NamedTuple):
    """A kind of job.

    Attributes:
        run: does it; takes what it works with and the arguments, returns its result, raises Refused.
        cpu_seconds: of the processor that it may use.
        may_write: it makes a file.
    """

    run: Callable[[Session, Mapping[str, Any]], Mapping[str, Any]]
    cpu_seconds: int
    may_write: bool


#: By name.  A build's time is that of unpacking and copying; a dump's grows with the domain.
JOBS = {
    "build": Job(build.run, cpu_seconds=300, may_write=False),
    "dump": Job(dump.run, cpu_seconds=3600, may_write=True),
    "save": Job(save.save, cpu_seconds=4 * 3600, may_write=True),
    "restore": Job(save.restore, cpu_seconds=4 * 3600, may_write=False),
    "resume": Job(save.resume, cpu_seconds=60, may_write=False),
}
