"""The file of a saved domain: written beside its name, and there under it once it is whole."""

import errno
import json
import os
import random
import secrets
import stat
import uuid as uuids
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import attrs
import trio

from xend.config.domain import parse
from xend.config.from_libxl import config_of_json, left_out, text_of
from xend.config.listing import as_json
from xend.config.text import text_of as text_of_bytes
from xend.domain.source import Source, addresses_of, source_of
from xend.errors import XendError
from xend.stored import stored_fields
from xend.stream import StreamError, header, own, records
from xend.stream.emulator import Emulator
from xend.stream.reader import Reader
from xenstore.daemon.files import write_all
from xenstore.daemon.text import one_line

#: A file that is longer is synchronised in a thread.
SMALL_BYTES = 4 << 20
#: How the name of a file begins that is being written.
_DRAFT = ".xend-save-"


@attrs.frozen(kw_only=True)
class SavedDomain:
    """What a file holds.

    Attributes:
        source: what the domain is made of.
        memory: its memory, and where that lies in the file.
        emulator: what its device model left; None: it had none that played a machine.
        processors: how many that machine had; None: as many as it used.
        connected: keys of the devices that its guest had connected.
        left_out: options of a configuration of libxl's that are no matter of a file.
        checksum: of all from the place `after`, behind the header; None: none was written.
        after: that place; end: that of the last byte that belongs to it.
    """

    source: Source
    memory: records.Memory
    emulator: Emulator | None = None
    processors: int | None = None
    connected: Sequence[str] = ()
    left_out: Sequence[str] = ()
    checksum: int | None
    after: int
    end: int

    @property
    def memory_kib(self) -> int:
        """How much it had."""
        return self.memory.pages * records.PAGE_BYTES // 1024


def header_of(
    source: Source,
    target_kib: int,
    cpus: int,
    processors: int | None = None,
    connected: Sequence[str] = (),
) -> header.Header:
    """The header of a file.

    Args:
        target_kib: of its memory now: what libxl lets it have when it restores it.  Of a machine the most is
            as it was: by that its device model knows where its graphics card's memory is.
        cpus: the host's.
        processors: how many its machine has, if it has one: all of them are libxl's available ones.
        connected: keys of the devices that its guest has connected.
    """
    config = source.config()
    most_kib = config.max_memory_kib
    if config.machine is None:
        most_kib = max(target_kib, most_kib)
    config = attrs.evolve(
        config,
        memory_kib=min(target_kib, most_kib),
        max_memory_kib=most_kib,
        vcpus=config.vcpus if processors is None else processors,
    )
    data = json.dumps(as_json(config, None, cpus)["config"], ensure_ascii=False)
    kept = own.Own(
        fields={"source": stored_fields(source), "processors": processors, "connected": list(connected)}
    )
    return header.Header(data.encode("utf-8", "surrogateescape"), own=own.pack(kept))


class Draft:
    """The file as it is written.

    Args:
        path: of the file, absolute; draft: its name until it is whole.
    """

    def __init__(self, path: str, draft: str) -> None:
        self.path = path
        self.draft = os.path.join(os.path.dirname(path), draft)

    def begin(self, front: header.Header) -> int:
        """A descriptor of it, behind its header.

        Raises:
            OSError: it cannot be made, or is there.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self.draft, flags, 0o600)
        try:
            write_all(fd, header.pack(front) + records.BEFORE)
        except BaseException:
            os.close(fd)
            raise
        return fd

    async def place(self, front: header.Header, checksum: int, length: int, *, fd: int) -> None:
        """Put it under its name: sealed, on the disk, and in the place of a file that was there.

        Raises:
            OSError: it is not, and the other file still is.
        """
        os.pwrite(fd, own.seal(checksum, length), header.own_offset(front) + own.SEAL_AT)
        if length < SMALL_BYTES:
            os.fsync(fd)
        else:
            await trio.to_thread.run_sync(os.fsync, fd)
        status, named = os.fstat(fd), os.lstat(self.draft)
        if (status.st_dev, status.st_ino) != (named.st_dev, named.st_ino):
            raise OSError(errno.ESTALE, "somebody has put another file in its place", self.draft)
        os.rename(self.draft, self.path)
        sync_directory(os.path.dirname(self.path))

    @staticmethod
    def new_name() -> str:
        """Of a draft."""
        return _DRAFT + secrets.token_hex(8)

    @staticmethod
    def is_one(name: str) -> bool:
        """Whether a file of that name is a draft."""
        return name.startswith(_DRAFT)

    def remove(self) -> None:
        """Nothing is left of it; a file that is whole is not its."""
        with suppress(FileNotFoundError):
            os.unlink(self.draft)


def sync_directory(path: str) -> None:
    """What files in it are called outlives the host.

    Raises:
        OSError: it does not.
    """
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read_source(path: str, chance: random.Random) -> Source:
    """What a file's domain is made of; of its memory nothing is looked at.

    Raises:
        XendError: as `read`.
    """
    shown = one_line(path)
    with _refused(shown):
        fd = open_file(path)
        try:
            front = header.read(Reader.of(fd))
        finally:
            os.close(fd)
        kept = own.read(front.own, header.own_offset(front)) if front.own else None
        return _source(front, kept, shown, chance)


def read(path: str, chance: random.Random) -> SavedDomain:
    """What a file holds; takes some time where that is much.

    chance: chooses what the configuration of another toolstack leaves open.

    Raises:
        XendError: bad_request: there is no such file, or it is no saved domain; the text says what and where.
    """
    shown = one_line(path)
    with _refused(shown):
        fd = open_file(path)
        try:
            reader = Reader.of(fd)
            front = header.read(reader)
            after = reader.offset
            memory, emulator = records.survey(reader)
        finally:
            os.close(fd)
        kept = own.read(front.own, header.own_offset(front)) if front.own else None
        source = _source(front, kept, shown, chance)
        seal = kept if kept is not None and kept.length else None
        if seal is not None and seal.length != reader.offset - after:
            where = "its length"
            raise StreamError(reader.offset, where, f"{reader.offset - after}, expected {seal.length} bytes")
    return SavedDomain(
        source=source,
        memory=memory,
        emulator=emulator,
        processors=None if kept is None else _processors(kept.fields.get("processors"), source, shown),
        connected=() if kept is None else _connected(kept.fields.get("connected", []), shown),
        left_out=_left_out(front) if kept is None else (),
        checksum=None if seal is None else seal.checksum,
        after=after,
        end=reader.offset,
    )


@contextmanager
def _refused(shown: str) -> Iterator[None]:
    """What is wrong with a file is a refusal."""
    try:
        yield
    except StreamError as error:
        raise XendError("bad_request", f"{shown} cannot be restored: {error}") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise XendError("bad_request", f"{shown} cannot be read: {reason}") from error


def open_file(path: str) -> int:
    """A descriptor of a saved domain's file, to read.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is no regular file", path)
    return fd


def _source(front: header.Header, kept: own.Own | None, shown: str, chance: random.Random) -> Source:
    """What it is made of: xend's own, or of libxl's configuration.

    Raises:
        XendError: there is none, or it is wrong.
    """
    if kept is not None:
        return _own_source(kept.fields, shown)
    if front.config is None:
        raise XendError(
            "bad_request",
            f"{shown} has no configuration in it",
            hint="give one: xl restore CONFIGURATION FILE",
        )
    try:
        text = text_of(config_of_json(front.config)) if front.is_json else text_of_bytes(front.config)
    except ValueError as error:
        message = f"the configuration in {shown} cannot be read: {error}"
        raise XendError("bad_request", message) from error
    return _source_of_text(text, shown, chance)


def _left_out(front: header.Header) -> Sequence[str]:
    """What libxl's configuration has, and nothing is made of."""
    return left_out(config_of_json(front.config)) if front.config is not None and front.is_json else ()


def _source_of_text(text: str, file: str, chance: random.Random) -> Source:
    """What is made of nothing but a text; what it leaves open is chosen."""
    file = f"{file} (its configuration)"
    config = parse(text, source=file)
    return Source(
        text=text,
        file=file,
        name=None,
        directory=None,
        extra=[],
        uuid=config.uuid or str(uuids.UUID(int=chance.getrandbits(128), version=4)),
        addresses=addresses_of(config, chance),
    )


def _processors(found: object, source: Source, shown: str) -> int | None:
    if found is None:
        return None
    if type(found) is not int or not 1 <= found <= source.config().max_vcpus:
        raise XendError("bad_request", f"{shown} cannot be restored: its own data: {found!r:.40} processors")
    return found


def _connected(found: object, shown: str) -> Sequence[str]:
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise XendError("bad_request", f"{shown} cannot be restored: its own data: {found!r:.40} as devices")
    return found


def _own_source(fields: Mapping[str, Any], shown: str) -> Source:
    try:
        return source_of(fields["source"])
    except Exception as error:  # of any kind, where a field holds anything but what was written
        raise XendError("bad_request", f"{shown} cannot be restored: its own data: {error!r}") from error
