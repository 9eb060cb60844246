"""What libxenguest reads and writes passes through functions of our module, which sum it."""

import ctypes
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

if not os.environ.get("XEND_REQUIRE_XEN"):
    pytest.importorskip("xend._guest")

from xend import _guest

NAMES = ("read_exact", "write_exact", "writev_exact")


class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


@pytest.fixture
def library() -> ctypes.CDLL:
    return ctypes.CDLL(_guest.__file__, use_errno=True)


@pytest.mark.skipif(sys.platform != "linux", reason="the dynamic linker of glibc says what it binds")
def test_the_library_finds_them() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import xend._guest"],
        env={**os.environ, "LD_DEBUG": "bindings", "LD_BIND_NOW": "1"},
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    ).stderr
    for name in NAMES:
        found = [
            line
            for line in said.splitlines()
            if "libxenguest" in line.split(" to ")[0] and f"`{name}'" in line
        ]
        assert len(found) == 1, name
        assert Path(_guest.__file__).name in found[0].split(" to ")[1]


def test_all_is_written_and_read_whatever_the_pieces(library: ctypes.CDLL) -> None:
    data = os.urandom(300_000)
    pieces = [
        data[:0],
        data[:1],
        data[1:70_000],
        b"",
        *(data[at : at + 100] for at in range(70_000, 300_000, 100)),
        b"",
    ]
    parts = (Part * len(pieces))(
        *(Part(ctypes.cast(ctypes.c_char_p(piece), ctypes.c_void_p), len(piece)) for piece in pieces)
    )
    ours, theirs = os.pipe()
    if not os.fork():
        os.close(ours)
        done = library.writev_exact(theirs, parts, len(pieces)) or library.write_exact(
            theirs, data, len(data)
        )
        os._exit(1 if done else 0)
    os.close(theirs)
    buffer = ctypes.create_string_buffer(2 * len(data))
    assert library.read_exact(ours, buffer, 2 * len(data)) == 0
    assert buffer.raw == 2 * data
    assert os.wait()[1] == 0
    assert library.read_exact(ours, buffer, 1) == -1  # there is no more
    assert ctypes.get_errno() == 0
    os.close(ours)


def test_what_fails(library: ctypes.CDLL) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    part = (Part * 1)(Part(ctypes.cast(ctypes.c_char_p(b"abc"), ctypes.c_void_p), 3))
    for name, arguments in (("write_exact", (b"abc", 3)), ("writev_exact", (part, 1))):
        ctypes.set_errno(0)
        assert library[name](full, *arguments) == -1
        assert ctypes.get_errno() == errno.ENOSPC
    os.close(full)
    assert library.read_exact(full, ctypes.create_string_buffer(1), 1) == -1
    assert ctypes.get_errno() == errno.EBADF
