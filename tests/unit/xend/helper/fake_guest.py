"""In the place of `xend._guest`: libraries without a Xen, which write down what they are asked for.

As a program it is a helper with these libraries: `fake_guest.py CALL ACT`, where ACT is one of `ACTS`, and is
what happens when CALL is called.
"""

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from xend._sum import Sum

RELEASE = "4.17"
FRAMES = 4
PAGE = 4096
#: What a domain's memory is: two pieces of a core.
CORE = (b"\x7fELF", bytes(100_000))
#: What is saved of it.
STREAM = b"memory and vCPUs"


class Libraries:
    """State of all handles and images of a fake.

    Attributes:
        calls: [name, arguments ...] of each.
        at: what happens when a call of that name is made.
        domains: domid: (whether it is fully virtualised, pages).
        frames: of the one that is: what each page is full of; None: it goes away after it was seen.
        frames_end: above all of them.
        contexts: its vCPUs' registers.
        shared_info: its page.
        tables: where its further tables are.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.at: dict[str, Callable[[], object]] = {}
        self.log: list[tuple[int, bytes]] = []
        self.domains = {5: (False, 0), 6: (True, 3), 7: (False, 16384), 8: (False, 16384)}
        self.frames: dict[int, bytes | None] = {0: b"a", 5: b"b", 9: b"c"}
        self.frames_end = 12
        self.tables = ((0, 0), (0, 0))
        self.contexts = [b"r" * 5168]
        self.shared_info: bytes | None = b"s" * PAGE

    def called(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        self.at.get(name, lambda: None)()

    def names(self) -> list[str]:
        return [call[0] for call in self.calls]


LIBRARIES = Libraries()


class Handle:
    def __init__(self) -> None:
        LIBRARIES.called("open")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments: LIBRARIES.called(name, *arguments)

    def take_log(self) -> list[tuple[int, bytes]]:
        return LIBRARIES.log

    def capabilities(self) -> bytes:
        return b"xen-3.0-x86_64 hvm-3.0-x86_32 "

    def domain(self, domid: int) -> tuple[bool, int] | None:
        LIBRARIES.called("domain", domid)
        return LIBRARIES.domains.get(domid)

    def event_channel(self, domid: int, remote: int) -> int:
        LIBRARIES.called("event_channel", domid, remote)
        return LIBRARIES.names().count("event_channel")

    def machine_memory_map(self) -> list[tuple[int, int, int]]:
        return [(0, 1 << 30, 1)]

    def version(self) -> bytes:
        return b"v" * 1280

    def contexts(self, domid: int) -> list[bytes]:
        return LIBRARIES.contexts

    def shared_info(self, domid: int) -> bytes | None:
        return LIBRARIES.shared_info

    def frames_end(self, domid: int) -> int:
        return LIBRARIES.frames_end

    def present(self, domid: int, first: int, count: int) -> list[int]:
        LIBRARIES.called("present", domid, first, count)
        return [frame for frame in range(first, first + count) if frame in LIBRARIES.frames]

    def read(self, domid: int, frames: Sequence[int]) -> tuple[bytes, list[int]]:
        LIBRARIES.called("read", domid, list(frames))
        filled = [LIBRARIES.frames[frame] for frame in frames]
        missing = [place for place, byte in enumerate(filled) if byte is None]
        return b"".join((byte or b"\0").ljust(PAGE, (byte or b"\0")[:1]) for byte in filled), missing

    def dump_core(self, domid: int, write: Callable[[memoryview], object]) -> None:
        for piece in CORE:
            LIBRARIES.called("dump_core", domid)
            write(memoryview(piece))

    def save(self, domid: int, fd: int, suspend: Callable[[], object], sum: bytes) -> bytes:
        os.write(fd, STREAM[:3])
        suspend()
        LIBRARIES.called("save", domid)
        os.write(fd, STREAM[3:])
        return passed(sum)

    def restore(
        self, domid: int, fd: int, store_port: int, console_port: int, sum: bytes
    ) -> tuple[int, int, bytes]:
        LIBRARIES.called("restore", domid, os.read(fd, len(STREAM)), store_port, console_port)
        return 0xFEFFC, 0xFEFFF, passed(sum)


def passed(state: bytes) -> bytes:
    """The checksum with the stream, but where something is to happen as it is "summed": that is not seen."""
    checksum = Sum(state)
    if "summed" not in LIBRARIES.at:
        checksum.add(STREAM)
    return checksum.state


class Image:
    def __init__(self, handle: Handle, *arguments: Any) -> None:
        LIBRARIES.called("allocate", *arguments)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments: LIBRARIES.called(name, *arguments)

    def guest_os(self) -> bytes:
        return b"linux"

    def has_feature(self, number: int) -> bool:
        return "old_linux" not in LIBRARIES.at

    def memory_ends(self) -> tuple[int, int]:
        return 64 << 20, 0

    def tables(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return LIBRARIES.tables

    def rings(self) -> tuple[int, int]:
        return 0xFEFFC, 0xFEFFF


def _refuse(number: int = errno.EBUSY) -> None:
    raise OSError(number, "xc_dom_something")


def _eat() -> None:
    held = [bytes(64 << 20) for _ in range(1000)]  # zeros, which are counted and not written
    del held


def _spin() -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (1, hard))
    while True:
        pass


def _say(data: bytes) -> Callable[[], object]:
    return lambda: os.write(0, data)


def _write_file() -> None:
    fd = os.memfd_create("none")
    try:
        os.write(fd, b"x")
    except OSError as error:
        raise RuntimeError(error.strerror) from error


#: What may happen within a call.
ACTS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "segv": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda: (os.write(2, b"free(): invalid pointer\n"), os._exit(7)),
    "hang": lambda: time.sleep(3600),
    "refuse": _refuse,
    "eat": _eat,
    "spin": _spin,
    "fault": lambda: 1 // 0,
    "write": _write_file,
    "junk": _say(b"\xc1\xc1\xc1"),
    "flood": _say(b"\xc6\x00\xff\xff\xff" + bytes(20_000)),
    "unknown": _say(b"\x92\xa4step\xa7nowhere"),
}


def main(arguments: Sequence[str]) -> None:
    sys.path.insert(0, str(Path(__file__).parents[4]))
    name, act = arguments
    LIBRARIES.at[name] = ACTS[act]
    sys.modules["xend._guest"] = sys.modules["__main__"]
    from xend.helper.__main__ import main as helper

    helper()


if __name__ == "__main__":
    main(sys.argv[1:])
