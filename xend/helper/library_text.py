"""What Xen's libraries log, and what it means (domain-build.md 3).

The only place where xend reads their words: their errno says too little, and is 0 for most of what is wrong
with a kernel.  A cause is told by the step, the errno and these words; the first row that fits counts.
"""

import errno
from collections.abc import Mapping
from typing import NamedTuple

from xend.helper.steps import LibraryError, Refused

#: The level of xentoollog.h from which on a line is an error.
_ERROR = 8
#: How much of a line is told.
_LINE_MAX = 200


class _Row(NamedTuple):
    """A cause.

    Attributes:
        steps: keys of those it belongs to; empty: any.
        numbers: the errnos it belongs to; empty: any.
        words: of which one is in the log; empty: any log.
        errno: what it is for xend.
        text: what it is for people; may have the job's {facts}.
    """

    steps: tuple[str, ...]
    numbers: tuple[int, ...]
    words: tuple[str, ...]
    errno: int
    text: str


_DOM0_MEMORY = ("allocation failed", "Out of memory", "out of memory", "mmap failed")
_NO_ROOM = "dom0 has not enough memory to unpack the kernel {kernel}"
_NO_ROOM_TO_BUILD = "dom0 has not enough memory to build domain {domid}"
_UNREADABLE = (
    "the kernel {kernel} is none that a {type} domain can boot: "
    "an ELF image or a bzImage is needed, perhaps compressed, and whole"
)

_ROWS = (
    _Row((), (errno.ESRCH,), (), errno.ESRCH, "there is no domain {domid}, or it is dying"),
    _Row(
        ("open",),
        (errno.ENOENT, errno.ENODEV, errno.ENXIO),
        (),
        errno.ENODEV,
        "Xen's device is not there (privcmd): is this dom0, and are the kernel's modules loaded?",
    ),
    _Row(("open",), (errno.EACCES, errno.EPERM), (), errno.EACCES, "Xen's device is root's to open"),
    _Row(
        ("policy",),
        (errno.EOPNOTSUPP,),
        (),
        errno.EOPNOTSUPP,
        "Xen's libraries are of a release without arch capabilities in cpuid; leave rdcl-no and others out",
    ),
    _Row(("policy",), (errno.EEXIST,), (), errno.EEXIST, "domain {domid} was built already"),
    _Row(
        ("paging",),
        (errno.ENOMEM,),
        (),
        errno.ENOMEM,
        "the host has not enough free memory for the page tables of domain {domid}",
    ),
    _Row(
        ("kernel", "parse"),
        (),
        ("image too large", "looks insane"),
        errno.ENOEXEC,
        "the kernel {kernel} unpacks to more than {unpacked_mib} MiB",
    ),
    _Row(
        ("parse",),
        (),
        ("x86_32p not supported by xen kernel",),
        errno.ENOEXEC,
        "the kernel {kernel} is one for 32 bits (x86_32p), whose paravirtual domains this Xen does not run; "
        "it runs: {capabilities}",
    ),
    _Row(
        ("parse",),
        (),
        ("not supported by xen kernel",),
        errno.ENOEXEC,
        "the kernel {kernel} is for guests that this Xen does not run; it runs: {capabilities}",
    ),
    _Row(
        ("dump",),
        (),
        ("p2m_size < nr_pages",),
        errno.EINVAL,
        "domain {domid} has no core yet: a pv kernel tells where its memory is as it boots",
    ),
    _Row(
        ("parse",),
        (),
        ("decompress support unavailable",),
        errno.ENOEXEC,
        "the kernel {kernel} is compressed in a way that Xen's libraries here cannot unpack: "
        "one that is not compressed, or otherwise, is needed",
    ),
    _Row(
        ("parse",),
        (),
        ("not capable of booting inside a HVM container",),
        errno.ENOEXEC,
        "the kernel {kernel} is one for pv domains: it has no entry point for pvh (Linux: CONFIG_PVH)",
    ),
    _Row(("kernel", "parse"), (errno.ENOMEM,), (), errno.ENOMEM, _NO_ROOM),
    _Row(("kernel", "parse"), (), _DOM0_MEMORY, errno.ENOMEM, _NO_ROOM),
    _Row(("kernel", "parse"), (), (), errno.ENOEXEC, _UNREADABLE),
    _Row(
        ("save",),
        (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
        (),
        errno.ENOSPC,
        "there is no room for the memory of domain {domid}",
    ),
    _Row(
        ("save",),
        (),
        ("has not been suspended", "not in suspended state"),
        errno.EINVAL,
        "domain {domid} was not suspended",
    ),
    _Row(
        ("restore",),
        (),
        ("Failed to populate", "populate physmap", "over-allocation", "Out of memory"),
        errno.ENOMEM,
        "the host has too little free memory for what was saved, or domain {domid}, with {max_kib} KiB "
        "at most, may not have so much",
    ),
    _Row(
        ("restore",),
        (),
        ("CPUID policy", "MSR policy", "CPU policy"),
        errno.EINVAL,
        "what was saved needs a processor that this host has not: {said}",
    ),
    _Row(("restore",), (), (), errno.EINVAL, "the saved memory cannot be restored: {said}"),
    _Row(
        ("populate",),
        (errno.EBUSY, errno.ENOMEM, 0),
        (),
        errno.ENOMEM,
        "the host has not enough free memory for the {memory_kib} KiB of domain {domid}",
    ),
    _Row(
        ("load",),
        (),
        ("too large", "out of range", "does not fit"),
        errno.ENOMEM,
        "kernel and ramdisk do not fit {memory_kib} KiB of memory: give the domain more memory",
    ),
    _Row(("load", "boot"), (), _DOM0_MEMORY, errno.ENOMEM, _NO_ROOM_TO_BUILD),
    _Row(("load",), (), ("elf",), errno.ENOEXEC, _UNREADABLE),
)


def refused(error: LibraryError, facts: Mapping[str, object]) -> Refused:
    """What a refusal of the libraries is for xend.

    Args:
        facts: of the job, for texts: domid; of a build also kernel, type, memory_kib, unpacked_mib,
            capabilities.
    """
    log = "\n".join(text for _, text in error.log)
    said = [text[:_LINE_MAX] for level, text in error.log if level >= _ERROR]
    for row in _ROWS:
        if _fits(row, error, log):
            first = said[0] if said else f"{error.function} says no more"
            return Refused(row.errno, row.text.format_map({**facts, "said": first}))
    cause = ": ".join([*said[-1:], errno.errorcode.get(error.errno, "no errno")])
    return Refused(error.errno or errno.EIO, f"{error.function} refused domain {facts['domid']}: {cause}")


def _fits(row: _Row, error: LibraryError, log: str) -> bool:
    return (
        (not row.steps or error.step in row.steps)
        and (not row.numbers or error.errno in row.numbers)
        and (not row.words or any(word in log for word in row.words))
    )
