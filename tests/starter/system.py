"""What only the C library can do (Linux): namespaces, mounts, a process's command line as ps(1) shows it."""

import ctypes
import mmap
import os
import struct
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 1 << 5, 1 << 12, 1 << 14, 1 << 18
#: A program has these of whoever starts it.
NAMESPACES = ("mnt", "net")
_PR_SET_NAME, _PR_SET_MM, _PR_SET_MM_MAP = 15, 35, 14
#: struct prctl_mm_map (linux/prctl.h): 11 addresses, the auxiliary vector and its size, a descriptor of the
#: executable.
_MAP = struct.Struct("=12QIi")
#: Fields of /proc/self/stat (proc_pid_stat(5)): what the map begins with, but for brk before the sixth.
_FIELDS = (26, 27, 45, 46, 47, 28, 48, 49, 50, 51)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.sbrk.restype = ctypes.c_void_p
#: What shows as command lines and must stay where it is.
_kept: list[object] = []


def check(result: int) -> None:
    """Raise OSError for a call that failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unshare(flags: int) -> None:
    """unshare(2)."""
    check(_libc.unshare(flags))


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2)."""
    words = [word.encode() for word in (source, target, kind)]
    check(_libc.mount(*words, ctypes.c_ulong(flags), options.encode()))


def enter_namespaces_of(pid: int) -> None:
    """Be in a process's, where they are others than this one's."""
    for name in NAMESPACES:
        theirs, ours = (f"/proc/{who}/ns/{name}" for who in (pid, "self"))
        if os.readlink(theirs) == os.readlink(ours):
            continue
        fd = os.open(theirs, os.O_RDONLY)
        check(_libc.setns(fd, 0))
        os.close(fd)


def set_command_line(argv: list[bytes], environment: list[bytes]) -> None:
    """Show these as this process's, and its name as that of the program."""
    program = next((word for word in argv[1:] if not word.startswith(b"-")), argv[0])
    _libc.prctl(_PR_SET_NAME, os.path.basename(program), 0, 0, 0)
    arguments, variables = (b"".join(word + b"\0" for word in words) for words in (argv, environment))
    area = mmap.mmap(-1, len(arguments) + len(variables) + 1, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.write(arguments + variables)
    begin = ctypes.addressof(ctypes.c_char.from_buffer(area))
    _kept.append(area)
    middle = begin + len(arguments)
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    code = [int(fields[number - 3]) for number in _FIELDS[:6]]
    areas = [*code[:5], _libc.sbrk(0), code[5], begin, middle, middle, middle + len(variables)]
    data = _MAP.pack(*areas, 0, 0, -1)
    check(_libc.prctl(_PR_SET_MM, _PR_SET_MM_MAP, data, ctypes.c_ulong(len(data)), 0))
