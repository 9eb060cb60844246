"""Kernels that are none, as the installed libxenguest sees them, and what becomes of its words."""

import errno
import gzip
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers.daemons import ROOT, lacking
from tests.xen.bzimage import COMPRESSIONS, bzimage
from tests.xen.images import compile_program
from xend.helper import files
from xend.helper.library_text import refused
from xend.helper.steps import LibraryError

pytestmark = pytest.mark.peer
Parse = Callable[[str, bytes], list[str]]
#: What a kernel may unpack to here, in bytes.
LARGEST = 1 << 20
#: Notes of Xen's in a kernel (xen/include/public/elfnote.h).
XEN_VERSION, GUEST_OS, PHYS32_ENTRY = 5, 6, 18


def note(kind: int, value: bytes) -> bytes:
    padded = value + bytes(-len(value) % 4)
    return struct.pack("<III4s", 4, len(value), kind, b"Xen\0") + padded


def of_pvh() -> bytes:
    """A kernel of one page, which does nothing."""
    notes = note(XEN_VERSION, b"xen-3.0\0") + note(GUEST_OS, b"none\0")
    notes += note(PHYS32_ENTRY, struct.pack("<I", 0x100000))
    ident = b"\x7fELF\2\1\1"
    head = struct.pack("<16sHHIQQQIHHHHHH", ident, 2, 62, 1, 0x100000, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    rows = [(1, 0x100000, 4096, 5), (4, 0x100100, len(notes), 4)]
    table = b"".join(
        struct.pack("<IIQQQQQQ", kind, flags, at - 0x100000, at, at, size, size, 4)
        for kind, at, size, flags in rows
    )
    begun = (head + table).ljust(0x100, b"\0") + notes
    return begun.ljust(4096, b"\x90")


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One for each type of domain."""
    if not shutil.which("gcc"):
        lacking("gcc is not installed")
    path = tmp_path_factory.mktemp("kernel") / "pv"
    compile_program(path, 64)
    return {"pv": path.read_bytes(), "pvh": of_pvh()}


@pytest.fixture(scope="module")
def parse(tmp_path_factory: pytest.TempPathFactory) -> Parse:
    """Has libxenguest read a kernel; the lines of `parse.c`."""
    for program in ("gcc", "pkg-config"):
        if not shutil.which(program):
            lacking(f"{program} is not installed")
    folder = tmp_path_factory.mktemp("parse")
    words = ["pkg-config", "--cflags", "--libs", "xencontrol", "xenguest"]
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    if found.returncode:
        lacking("Xen's libraries are not installed (Debian: libxen-dev)")
    words = ["pkg-config", "--modversion", "xenguest"]
    version = subprocess.run(words, capture_output=True, text=True, check=True)
    major, minor = version.stdout.split(".")[:2]
    define = f"-DXEND_XEN={int(major) * 100 + int(minor)}"
    source = ROOT / "tests/peers/parse.c"
    flags = ["-Wno-unused-function", f"-I{ROOT / 'cython/xend'}", define]
    subprocess.run(
        ["gcc", "-o", folder / "parse", source, *flags, *found.stdout.split()], check=True, timeout=60
    )

    def run(type: str, kernel: bytes) -> list[str]:
        (folder / "kernel").write_bytes(kernel)
        argv: list[str | Path] = [folder / "parse", type, folder / "kernel", str(LARGEST)]
        done = subprocess.run(argv, capture_output=True, timeout=60, check=False)
        if done.returncode == 3:
            lacking("there is a Xen here, which the program does without")
        assert done.returncode == 0, done
        return done.stdout.decode(errors="replace").splitlines()

    return run


def cause(said: list[str], type: str) -> str:
    """What xend makes of it."""
    step, number = said[0].split()
    log = [(int(level), text) for level, _, text in (line.partition(" ") for line in said[1:])]
    facts = {"domid": 5, "kernel": "K", "type": type, "memory_kib": 1, "unpacked_mib": 1, "capabilities": "C"}
    found = refused(LibraryError(step, int(number), "f", log), facts)
    assert found.errno == errno.ENOEXEC
    return found.text


@pytest.mark.parametrize("type", ["pv", "pvh"])
@pytest.mark.parametrize("compression", [None, "bare gzip", *COMPRESSIONS])
def test_kernels(parse: Parse, kernels: dict[str, bytes], type: str, compression: str | None) -> None:
    kernel = kernels[type]
    if compression:
        kernel = gzip.compress(kernel) if compression == "bare gzip" else bzimage(kernel, compression)
    said = parse(type, kernel)
    if said[0].startswith("parse ") and any("support unavailable" in line for line in said):
        assert "cannot unpack" in cause(said, type)  # Debian's has no bzip2
    else:
        assert said[0].startswith("parsed"), said


#: Debian's pvgrub, which reads the guest's disk from within (package grub-xen-host): type and file.
PVGRUBS = [("pv", "grub-x86_64-xen.bin"), ("pvh", "grub-i386-xen_pvh.bin")]
GRUB = Path("/usr/lib/grub-xen")


@pytest.mark.parametrize(("type", "name"), PVGRUBS)
def test_pvgrub(parse: Parse, type: str, name: str) -> None:
    if not GRUB.exists():
        lacking("pvgrub is not installed (Debian: grub-xen-host)")
    assert parse(type, (GRUB / name).read_bytes())[0].startswith("parsed")
    kernel = files.kernel(str(GRUB / name))
    assert len(kernel) == (GRUB / name).stat().st_size


def test_a_pvgrub_of_the_other_type(parse: Parse) -> None:
    if not GRUB.exists():
        lacking("pvgrub is not installed (Debian: grub-xen-host)")
    assert "no entry point for pvh" in cause(parse("pvh", (GRUB / PVGRUBS[0][1]).read_bytes()), "pvh")
    assert NONE in cause(parse("pv", (GRUB / PVGRUBS[1][1]).read_bytes()), "pv")
    of_32_bits = cause(parse("pv", (GRUB / "grub-i386-xen.bin").read_bytes()), "pv")
    assert "is one for 32 bits (x86_32p)" in of_32_bits


def liar() -> bytes:
    data = bytearray(gzip.compress(bytes(2 * LARGEST)))
    data[-4:] = (1000).to_bytes(4, "little")
    return bytes(data)


NONE = "is none that a"
UNPACKED = ("gzip", "xz", "lzma", "zstd")
LARGE = "unpacks to more than 1 MiB"
TABLE = [
    ("junk", b"junk" * 1000, NONE),
    ("one byte", b"\x7f", NONE),
    ("a head", of_pvh()[:60], NONE),
    ("half a bzImage", bzimage(of_pvh(), "xz")[:1100], NONE),
    ("damaged", bzimage(of_pvh(), "xz")[:1100] + bytes(900), NONE),
    ("a bomb", gzip.compress(bytes(2 * LARGEST)), LARGE),
    ("a bomb that lies", liar(), NONE),
    *(
        (f"a bomb of {name}", bzimage(bytes(2 * LARGEST), name), LARGE)
        for name in ("gzip", "xz", "lzma", "zstd")
    ),
]


@pytest.mark.parametrize(("kernel", "text"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_no_kernels(parse: Parse, kernel: bytes, text: str) -> None:
    said = parse("pv", kernel)
    assert not said[0].startswith("parsed")
    assert text in cause(said, "pv"), said


def test_one_for_pv_only(parse: Parse, kernels: dict[str, bytes]) -> None:
    said = parse("pvh", kernels["pv"])
    assert "no entry point for pvh" in cause(said, "pvh"), said


def test_one_for_pvh_only(parse: Parse, kernels: dict[str, bytes]) -> None:
    assert NONE in cause(parse("pv", kernels["pvh"]), "pv")
