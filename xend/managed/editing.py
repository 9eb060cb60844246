"""Files of the configuration directory made, replaced and removed: each at once, or not at all, for good.

A file that is there is replaced only if it is what the caller has read.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from xend.autostart.files import AUTO, ConfigDirectory, check_plain, check_trusted
from xend.config import DomainConfig
from xend.config.domain import parse
from xend.config.place import bytes_of, shown
from xend.device.vbd import VBD
from xend.errors import XendError
from xend.managed.configured import Configurations, Configured
from xenstore.daemon.files import write_all

#: Of a new file, in which a password may stand.
MODE = 0o640
#: All that a configuration has to say besides a name.
_LEAST = 'kernel = "/x"\n'


def digest(text: str) -> str:
    """What a text is known by."""
    return hashlib.sha256(bytes_of(text)).hexdigest()


class Editing:
    """What is done to the files of one directory."""

    def __init__(self, configurations: Configurations) -> None:
        self._configurations = configurations
        self._directory: ConfigDirectory = configurations.directory

    def new(self, text: str, name: str | None, directory: str | None) -> tuple[DomainConfig, str]:
        """Put a configuration into the directory, under its domain's name; returns it and the file's path.

        Args:
            name: of the file that it was in: the domain's where the text has none.
            directory: where that was, for relative names in it.

        Raises:
            ConfigError: what is wrong with it; a name in it means another file in the directory.
            XendError: name_in_use: there is such a file, or one for a domain of that name; bad_config: no
                listing would have a file of that name.
        """
        config = parse(text, source=name or "configuration", name=name, directory=self._directory.path)
        self._check_paths(config, parse(text, source=name or "configuration", name=name, directory=directory))
        path = os.path.join(self._directory.path, check_plain(config.name))
        if not self._directory.has_use_for(config.name):
            raise XendError(
                "bad_config",
                f"a file of the name {shown(config.name)} is none of a domain, but Xen's own, or a copy",
                hint="give the domain another name = ...",
            )
        self._check_unused(config.name, None)
        if name is not None and "name" not in config.given:
            text = _named(config.name) + text  # it was the file's
        with _draft(path, bytes_of(text), MODE) as draft:
            try:
                os.link(draft, path)  # unlike rename(2) this does not replace
            except FileExistsError:
                raise _in_use(f"{path} exists already", "xl edit changes it") from None
        return config, path

    def replace(self, file: Configured, text: str, was: str) -> DomainConfig:
        """Put a text in place of a file's; was: the `digest` of what the caller has read.

        Raises:
            ConfigError: what is wrong with it.
            XendError: wrong_state: the file was changed since; name_in_use.
        """
        path = os.path.realpath(file.path)
        now = self._directory.read(file.file, self._is_in_auto(file)).text
        if digest(now) != was:
            raise XendError(
                "wrong_state",
                f"{file.path} was changed by somebody else meanwhile",
                hint="edit it anew",
            )
        directory = os.path.dirname(path) if self._is_in_auto(file) else self._directory.path
        config = parse(text, source=file.path, name=file.file, directory=directory)
        self._check_unused(config.name, file)
        check_trusted(os.path.dirname(path), os.stat(os.path.dirname(path)))
        status = os.stat(path)
        with _draft(path, bytes_of(text), status.st_mode & 0o777) as draft:
            os.chown(draft, status.st_uid, status.st_gid)
            os.rename(draft, path)
        return config

    def delete(self, file: Configured) -> list[str]:
        """Remove a file, and what leads to it in auto/; returns the paths removed."""
        removed = self.disable(file, is_deleted=True)
        if os.path.lexists(file.path):
            _change(lambda: os.unlink(file.path), file.path)
            removed.append(file.path)
        _sync(self._directory.path)
        return removed

    def enable(self, file: Configured) -> bool:
        """Have a domain start with the host; False: it does already.

        Raises:
            XendError: name_in_use: something else is called so in auto/.
        """
        if file.is_started:
            return False
        auto = os.path.join(self._directory.path, AUTO)
        with suppress(FileExistsError):
            _change(lambda: os.mkdir(auto, 0o755), auto)
        self._directory.check()
        link = os.path.join(auto, file.file)
        try:
            os.symlink(os.path.join("..", file.file), link)
        except FileExistsError:
            raise _in_use(f"{link} exists already, and leads to another file", "remove it first") from None
        except OSError as error:
            raise _failed(link, error) from error
        _sync(auto)
        return True

    def disable(self, file: Configured, *, is_deleted: bool = False) -> list[str]:
        """Have it not start with the host; returns the links removed.

        Raises:
            XendError: wrong_state: the file itself stands in auto/.
        """
        auto, removed = os.path.join(self._directory.path, AUTO), []
        for name in self._directory.listed():
            path = os.path.join(auto, name)
            if os.path.realpath(path) != os.path.realpath(file.path):
                continue
            if not os.path.islink(path) and not is_deleted:
                raise XendError(
                    "wrong_state",
                    f"{path} is the configuration itself, and no link to one",
                    hint=f"move it away: mv {path} {self._directory.path}",
                )
            _change(lambda path=path: os.unlink(path), path)  # type: ignore[misc]
            removed.append(path)
        if removed:
            _sync(auto)
        return removed

    def _is_in_auto(self, file: Configured) -> bool:
        return os.path.basename(os.path.dirname(file.path)) == AUTO

    def _check_unused(self, name: str, file: Configured | None) -> None:
        for other in self._configurations.all():
            is_it = file is not None and other.path == file.path
            if other.config is not None and other.name == name and not is_it:
                text = f"domain {name} is configured already, in {other.path}"
                raise _in_use(text, "give it another name = ...")

    def _check_paths(self, there: DomainConfig, here: DomainConfig) -> None:
        """See that relative names of files mean in the directory what they mean where the file was."""
        moved = [path for path, other in zip(_paths(there), _paths(here), strict=True) if path != other]
        if moved:
            raise XendError(
                "bad_config",
                f"{moved[0]} would be looked for, as its name is relative and the file comes to stand in "
                f"{self._directory.path}",
                hint="give absolute names of files: they begin with /",
            )


def _named(name: str) -> str:
    """The line that gives a name.  Raises: XendError: bad_config: no line can."""
    for quote in "\"'":
        line = f"name = {quote}{name}{quote}\n"
        with suppress(XendError):
            if parse(f"{line}{_LEAST}", source="").name == name:
                return line
    raise XendError(
        "bad_config",
        f"{shown(name)}: no configuration can say this name",
        hint="give the domain another name = ...",
    )


def _paths(config: DomainConfig) -> list[str | None]:
    return [config.kernel, config.ramdisk, *(disk.target for disk in config.of_kind(VBD.name))]


@contextmanager
def _draft(path: str, data: bytes, mode: int) -> Iterator[str]:
    """A file with this content beside the one that it is for; removed if it is there afterwards."""
    directory, name = os.path.split(path)
    draft = os.path.join(directory, f".{name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        os.unlink(draft)  # of another xend that had this number, and was cut off
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        try:
            os.fchmod(fd, mode)
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        yield draft
        _sync(directory)
    except OSError as error:
        raise _failed(path, error) from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft)


def _sync(directory: str) -> None:
    """What was done in a directory outlives a loss of power."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _change(do: Callable[[], Any], path: str) -> None:
    try:
        do()
    except FileExistsError:
        raise
    except OSError as error:
        raise _failed(path, error) from error


def _failed(path: str, error: OSError) -> XendError:
    return XendError("bad_config", f"{path} cannot be written", cause=error.strerror)


def _in_use(text: str, hint: str) -> XendError:
    return XendError("name_in_use", text, hint=hint)
