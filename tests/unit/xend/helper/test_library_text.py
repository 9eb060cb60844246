"""What Xen's libraries logged on Xen 4.17 (domain-build.md 3), and what becomes of it."""

import errno

import pytest

from xend.helper.library_text import refused
from xend.helper.steps import STEPS, LibraryError

FACTS: dict[str, object] = {
    "domid": 5,
    "kernel": "/boot/k",
    "type": "pv",
    "memory_kib": 4096,
    "unpacked_mib": 256,
    "capabilities": "xen-3.0-x86_64",
}

TABLE = [
    ("parse", 0, "xc_dom_find_loader: no loader found", errno.ENOEXEC, "is none that a pv domain can boot"),
    ("parse", errno.EINVAL, "", errno.ENOEXEC, "/boot/k is none that a pv domain can boot"),
    ("parse", 0, "panic: kernel image too large", errno.ENOEXEC, "unpacks to more than 256 MiB"),
    ("kernel", 0, "size (zip 9, unzip 9) looks insane, skip gunzip", errno.ENOEXEC, "unpacks to more"),
    ("parse", 0, "x86_32p not supported by xen kernel, sorry", errno.ENOEXEC, "32 bits (x86_32p)"),
    ("parse", 0, "ia64 not supported by xen kernel, sorry", errno.ENOEXEC, "it runs: xen-3.0-x86_64"),
    ("parse", 0, "BZIP2 decompress support unavailable: Internal error", errno.ENOEXEC, "cannot unpack"),
    ("parse", 0, "image not capable of booting inside a HVM container", errno.ENOEXEC, "entry point for pvh"),
    ("parse", errno.ENOMEM, "xc_dom_malloc: allocation failed", errno.ENOMEM, "dom0 has not enough memory"),
    ("populate", errno.EBUSY, "can't allocate low memory", errno.ENOMEM, "free memory for the 4096 KiB"),
    ("paging", errno.ENOMEM, "", errno.ENOMEM, "page tables of domain 5"),
    ("load", 0, "segment kernel too large (0x3a00 > 0x1000 pages)", errno.ENOMEM, "do not fit 4096 KiB"),
    ("load", errno.ENOMEM, "failed to mmap domU pages: Out of memory", errno.ENOMEM, "to build domain 5"),
    ("load", 0, "xc_dom_load_elf_kernel: failed to load elf binary", errno.ENOEXEC, "is none that a pv"),
    ("dump", errno.EPERM, "p2m_size < nr_pages -1 (1 < 7ff: Internal error", errno.EINVAL, "has no core yet"),
    ("policy", errno.EEXIST, "", errno.EEXIST, "domain 5 was built already"),
    ("open", errno.ENOENT, "", errno.ENODEV, "is this dom0"),
    ("boot", errno.ESRCH, "", errno.ESRCH, "there is no domain 5"),
    ("boot", errno.EFAULT, "SETHVMCONTEXT failed (rc=-1)", errno.EFAULT, "failed (rc=-1): EFAULT"),
]


@pytest.mark.parametrize(("step", "number", "logged", "expected", "text"), TABLE)
def test_causes(step: str, number: int, logged: str, expected: int, text: str) -> None:
    log = [(3, "xc_dom_parse_image: called"), *([(8, logged)] if logged else [])]
    found = refused(LibraryError(step, number, "xc_dom_function", log), FACTS)
    assert found.errno == expected
    assert text in found.text
    assert "\n" not in found.text


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("number", [0, errno.EPERM, errno.EINVAL])
def test_every_step_has_some_cause(step: str, number: int) -> None:
    """Also a dump's, which has fewer facts."""
    facts = {"domid": 5} if step in ("open", "domain", "dump") else FACTS
    found = refused(LibraryError(step, number, "xc_something", [(8, "x" * 5000 + "\n")]), facts)
    assert found.errno > 0
    assert len(found.text) < 500
