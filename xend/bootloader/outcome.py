"""Takes what a boot loader left: an answer, and files that it names, of which nothing is believed."""

import os
import stat
from collections.abc import Mapping
from typing import Any

import attrs

from xend.bootloader.contract import ANSWER_MAX_BYTES, Lie, parse
from xenstore.daemon.text import one_line

__all__ = ["FILE_MAX_BYTES", "Outcome", "outcome_of", "taken"]

MIB = 1 << 20
#: The largest kernel or ramdisk that is taken, in bytes.
FILE_MAX_BYTES = 512 * MIB
#: Of the run directory's file system a copy leaves this part free: an eighth.
SHARE_LEFT = 8
#: Of a path in an error.
SHOWN_CHARS = 40


@attrs.frozen(kw_only=True)
class Outcome:
    """What a domain is to boot.

    Attributes:
        kernel: path of a copy that is ours.
        ramdisk: the same; None: none.
        args: the kernel's command line.
    """

    kernel: str = attrs.field(validator=attrs.validators.instance_of(str))
    ramdisk: str | None = attrs.field(validator=attrs.validators.optional(attrs.validators.instance_of(str)))
    args: str = attrs.field(validator=attrs.validators.instance_of(str))


def outcome_of(value: Outcome | Mapping[str, Any]) -> Outcome:
    """An outcome, or the one that the fields of a record make."""
    return value if isinstance(value, Outcome) else Outcome(**value)


def taken(output: str, directory: str, into: str, shown: str | None = None) -> Outcome:
    """What the answer in the file `output` asks for, its files copied from `directory` to `into`.

    shown: what the program was told that the directory is called, if that is another name.

    Raises:
        Lie: the answer is none, names no kernel, or files that are none of that directory, or too large.
        OSError: a copy cannot be written.
    """
    answer = parse(_read_answer(output))
    if answer.kernel is None:
        raise Lie("it ended without an error and named no kernel")
    kernel = _copy("kernel", answer.kernel, shown or directory, directory, into)
    ramdisk = None
    if answer.ramdisk is not None:
        ramdisk = _copy("ramdisk", answer.ramdisk, shown or directory, directory, into)
    return Outcome(kernel=kernel, ramdisk=ramdisk, args=answer.args)


def _read_answer(path: str) -> bytes:
    descriptor = _open(path, "its answer")
    with open(descriptor, "rb") as file:
        return file.read(ANSWER_MAX_BYTES + 1)


def _copy(what: str, path: str, shown: str, directory: str, into: str) -> str:
    parent, name = os.path.split(path)
    if parent.rstrip("/") != shown.rstrip("/") or name in ("", ".", ".."):
        raise Lie(f"its {what} {_quoted(path)} is not in the directory that it was given")
    called = f"its {what} {_quoted(name)}"
    with open(_open(os.path.join(directory, name), f"its {what}"), "rb") as source:
        size = os.fstat(source.fileno()).st_size
        if size == 0:
            raise Lie(f"{called} is empty")
        if size > FILE_MAX_BYTES:
            raise Lie(f"{called} has {size} bytes, expected at most {FILE_MAX_BYTES >> 20} MiB")
        if size > (room := _room(into)):
            raise Lie(f"{called} has {size} bytes, but in {into} there is room for {room}")
        copy = os.path.join(into, what)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(copy, flags, 0o600), "wb") as target:
            while size and (data := source.read(min(size, MIB))):
                target.write(data)
                size -= len(data)
    return copy


def _room(directory: str) -> int:
    """Bytes that a copy may have: the run directory's file system, often small, is of other programs too."""
    status = os.statvfs(directory)
    return max(0, status.f_bavail - status.f_blocks // SHARE_LEFT) * status.f_frsize


def _quoted(path: str) -> str:
    """What a program of the guest's chose, for an error."""
    return f'"{one_line(path[:SHOWN_CHARS])}"'


def _open(path: str, what: str) -> int:
    """A descriptor of a regular file; a link is not followed, a FIFO does not hold up."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise Lie(f"{what} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Lie(f"{what} is no regular file")
    return descriptor
