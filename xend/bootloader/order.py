"""What xend tells the process around a boot loader, and what that answers: JSON over its socket."""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from xend.bootloader.contract import Loader
from xend.bootloader.outcome import Outcome, outcome_of

__all__ = ["Limits", "Order", "Report", "order_of", "pack", "report_of"]

MIB = 1 << 20


@attrs.frozen(kw_only=True)
class Limits:
    """What a boot loader may use.

    Attributes:
        memory_bytes: address space of each of its processes.
        file_bytes: of each file that it writes; scratch_bytes, files: of all together.
        processes: at a time; cpu_seconds: of the processor, each of them.
    """

    memory_bytes: int = 1024 * MIB
    file_bytes: int = 512 * MIB
    scratch_bytes: int = 768 * MIB
    files: int = 64
    processes: int = 32
    cpu_seconds: int = 60


@attrs.frozen(kw_only=True)
class Order:
    """One run.

    Attributes:
        loader: the program and its arguments; `disk` is where the disk lies.
        uid, gid: of whom it runs as; is_own_user: nothing else runs as that user.
        directory: an empty directory of root's alone, where all of it takes place, and the copies end.
    """

    loader: Loader
    uid: int
    gid: int
    is_own_user: bool
    directory: str
    limits: Limits = attrs.field(factory=Limits)


@attrs.frozen(kw_only=True)
class Report:
    """How it went.

    Attributes:
        status: the loader's exit status, negative: the signal that ended it; None: it was not started.
        outcome: what is to be booted; None: nothing.
        lie: why its answer cannot be used; None: it was not looked at, or can.
        refused: what the system refused, so that it could not be shut in, or its files not be copied.
    """

    status: int | None = None
    outcome: Outcome | None = None
    lie: str | None = None
    refused: str | None = None


def pack(message: Order | Report) -> bytes:
    """One line."""
    return json.dumps(attrs.asdict(message)).encode() + b"\n"


def order_of(line: bytes) -> Order:
    """The inverse of pack."""
    fields: Mapping[str, Any] = json.loads(line)
    return Order(**{**fields, "loader": Loader(**fields["loader"]), "limits": Limits(**fields["limits"])})


def report_of(line: bytes) -> Report:
    """The inverse of pack."""
    fields: Mapping[str, Any] = json.loads(line)
    outcome = fields["outcome"]
    return Report(**{**fields, "outcome": None if outcome is None else outcome_of(outcome)})
