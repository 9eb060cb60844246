"""What the helper can no longer do: how much memory, time and files it may use."""

import resource

MIB = 1 << 20
#: Open files: its socket and errors, Xen's devices, kernel, ramdisk, what is written.
FILES = 64
#: Address space and memory of its own, in bytes, beside what depends on the job: Python and its libraries,
#: and a kernel of the largest size (`files.UNPACKED_MAX`) while it is unpacked into a buffer that doubles.
ADDRESSES = 3072 * MIB
DATA = 1024 * MIB


def at_the_start() -> None:
    """Before it knows its job."""
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_NOFILE, FILES)


def for_time(seconds: int, may_write: bool) -> None:
    """What a job gets of the processor, and whether it writes a file."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    most = seconds + 5 if hard == resource.RLIM_INFINITY else min(hard, seconds + 5)
    resource.setrlimit(resource.RLIMIT_CPU, (min(seconds, most), most))
    if not may_write:
        _set(resource.RLIMIT_FSIZE, 0)


def for_memory(domain_bytes: int, file_bytes: int) -> None:
    """What a job needs for a domain of a size (its pages' numbers, 8 bytes for each of 4096, some times) and
    for its files, mapped once here and once in the domain."""
    _set(resource.RLIMIT_AS, ADDRESSES + domain_bytes // 64 + 3 * file_bytes)
    _set(resource.RLIMIT_DATA, DATA + domain_bytes // 128)


def _set(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    value = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (value, value))
