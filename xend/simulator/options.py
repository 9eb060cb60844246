"""The command line of the process that keeps a simulated host alive."""

import os
from collections.abc import Sequence

import attrs

from xend.config.cpuid_names import FIELDS
from xend.simulator.description import (
    DEFAULT_CPUS,
    DEFAULT_MEMORY_KIB,
    DIRECT_IO,
    FEATURES,
    FLAVOURS,
    KIB,
    VIRT_CAPS,
    Hardware,
)
from xenstore.daemon.argparse_table import ArgparseTable
from xenstore.daemon.options import Option, UsageError

__all__ = ["Options", "UsageError", "parse"]


@attrs.frozen(kw_only=True)
class Options:
    """What the command line asks for.

    Attributes:
        directory: where the host's pages, sockets and files are.
        seed: of all that is left to chance; None: another one each time.
    """

    directory: str
    hardware: Hardware
    seed: int | None
    foreground: bool
    exit_when_idle: bool


def parse(words: Sequence[str]) -> Options:
    """The options; exits after --help.

    Raises:
        UsageError: there is no such option or value, or no such host.
    """
    values = _TABLE.parse(words, {})
    hardware = {
        name: values.pop(name) for name in ("cpus", "memory_kib", "flavour", "backend_faults", "features")
    }
    if values.pop("iommu"):
        hardware["virt_caps"] = (*VIRT_CAPS, DIRECT_IO)
    try:
        return Options(**values, hardware=Hardware(**hardware))
    except ValueError as error:
        raise UsageError("a host has 1 to 4095 CPUs, and 128 MiB of memory at least") from error


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"invalid int value: {text!r}") from None


def _features(text: str) -> tuple[str, ...]:
    names = tuple(filter(None, text.split(",")))
    if unknown := [name for name in names if name not in FIELDS]:
        raise ValueError(f"unknown features: {', '.join(unknown)}")
    return names


def _mebibytes(text: str) -> int:
    return _number(text) * KIB


_TABLE = ArgparseTable(
    "xend-simulator",
    (
        Option("directory", "directory", "where its pages, sockets and files are", os.path.abspath),
        Option("--cpus", "CPUS", kind=_number, default=DEFAULT_CPUS),
        Option("--memory-mib", "MEMORY_MIB", kind=_mebibytes, sets="memory_kib", default=DEFAULT_MEMORY_KIB),
        Option("--flavour", "", "of dom0's kernel", choices=FLAVOURS, default=FLAVOURS[0]),
        Option("--backend-faults", "BACKEND_FAULTS", "words, see xend.simulator.backend", default=""),
        Option(
            "--cpu-features",
            "NAMES",
            "of cpuid in xl.cfg(5), apart by commas",
            _features,
            sets="features",
            default=FEATURES,
        ),
        Option("--iommu", "", "it has one that is on"),
        Option("--seed", "SEED", "of all that is left to chance", _number),
        Option("--no-fork", "", "stay in the foreground", sets="foreground"),
        Option("--exit-when-idle", "", "end with the last client and domain"),
    ),
    description="Keep a simulated host in a directory alive.",
)
