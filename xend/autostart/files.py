"""Files of the configuration directory that xend reads, or runs, by itself.

Nobody but root, and who xend runs as, may have a hand in them: a configuration names any file of dom0 as a
disk.  A client never names a path, only a file of this directory.
"""

import os
import stat

import attrs

from xend.autostart.leftovers import is_leftover, is_of_xen
from xend.config.place import shown
from xend.config.text import MAX_TEXT_BYTES, text_of
from xend.device.scripts import PATH
from xend.device.unrunnable import unrunnable
from xend.errors import XendError

#: Below the configuration directory: what starts without being named.
AUTO = "auto"


@attrs.frozen
class Text:
    """A configuration's text.

    Attributes:
        path: for errors.
        directory: where relative names in it are looked for.
    """

    text: str
    path: str
    directory: str


class ConfigDirectory:
    """The directory that `--config-dir` names."""

    def __init__(self, path: str) -> None:
        self.path = path

    def check(self) -> None:
        """See that nobody else may put files there.

        Raises:
            XendError: bad_config.
        """
        for path in (self.path, os.path.join(self.path, AUTO)):
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _unreadable(path, error) from error
            check_trusted(path, status)

    def listed(self) -> list[str]:
        """The names in auto/ in their order; directories, and what `is_leftover` knows, are left out.

        Raises:
            XendError: bad_config.
        """
        path = os.path.join(self.path, AUTO)
        try:
            with os.scandir(path) as entries:
                return sorted(entry.name for entry in entries if _may_be_configuration(entry))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(path, error) from error

    def files(self) -> list[str]:
        """The names of the directory's own files that may describe domains, in their order.

        Left out is, besides what `listed` leaves out, what belongs to Xen itself, and programs (hooks).

        Raises:
            XendError: bad_config.
        """
        try:
            with os.scandir(self.path) as entries:
                return sorted(entry.name for entry in entries if _may_describe_domain(entry))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def has_use_for(self, name: str) -> bool:
        """Whether a file of that name may describe a domain: it is nothing else's, and no leftover."""
        is_taken = name == AUTO or os.path.isdir(os.path.join(self.path, name))
        return not (is_taken or is_leftover(name) or is_of_xen(name))

    def broken_link(self, name: str) -> str | None:
        """Where the link of that name in auto/ leads, if nothing is there; None: it is none.

        Raises:
            XendError: bad_request: no plain name.
        """
        path = os.path.join(self.path, AUTO, check_plain(name))
        try:
            return None if os.path.exists(path) else os.readlink(path)
        except OSError:
            return None

    def read(self, name: str, is_listed: bool = False) -> Text:
        """The configuration of that name; is_listed: the one in auto/.

        Raises:
            XendError: bad_request: no plain name; bad_config: it cannot be read, or others may write it.
        """
        check_plain(name)
        path = self.shown(name, is_listed)
        try:
            data = _read(path)
        except OSError as error:
            raise _unreadable(path, error) from error
        # A link in auto/ leads to a configuration whose relative names count from where that is.
        directory = os.path.dirname(os.path.realpath(path)) if is_listed else self.path
        return Text(text_of(data), path, directory)

    def shown(self, name: str, is_listed: bool) -> str:
        """Where the configuration of that name is, for errors."""
        return os.path.join(self.path, AUTO, name) if is_listed else os.path.join(self.path, name)

    def hook(self, pattern: str, name: str) -> str | None:
        """The program that a format of hooks stands for; None: this domain has none.

        Raises:
            XendError: bad_config, script_failed: it may not, or cannot, be run.
        """
        path = os.path.join(self.path, check_plain(pattern.replace("%s", name)))
        real = os.path.realpath(path)
        try:
            status, above = os.stat(real), os.stat(os.path.dirname(real))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(path, error) from error
        check_trusted(path, status)
        check_trusted(os.path.dirname(real), above)
        if (found := unrunnable(path, PATH)) is not None:
            text = f"hook {path} {found.complaint}"
            raise XendError("script_failed", text, reason=found.reason, hint=found.hint)
        return path


def check_plain(name: str) -> str:
    """The name, if it can be that of a file of the directory itself.

    Raises:
        XendError: bad_request.
    """
    if not name or name.startswith(".") or "/" in name or not name.isprintable():
        raise XendError(
            "bad_request",
            f"{shown(name)}: the name of a file in the configuration directory was expected, "
            "without / and not hidden",
        )
    return name


def check_pattern(option: str, pattern: str | None) -> None:
    """See that a format gives names: one %s, for the domain's.

    Raises:
        XendError: bad_request.
    """
    if pattern is None:
        return
    if pattern.count("%") != 1 or "%s" not in pattern:
        raise XendError(
            "bad_request",
            f"{option} {shown(pattern)}: one %s was expected, which stands for the domain's name",
        )
    check_plain(pattern.replace("%s", "x"))


def check_trusted(path: str, status: os.stat_result) -> None:
    """See that a file is root's or xend's own, and nobody else may write it.

    Raises:
        XendError: bad_config, naming the remedy.
    """
    if status.st_uid not in (0, os.geteuid()):
        raise XendError(
            "bad_config",
            f"{path} belongs to user {status.st_uid}, who would be as good as root",
            hint=f"look at it, then: chown root {path}",
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise XendError(
            "bad_config",
            f"{path} may be written by others than its owner (mode {stat.S_IMODE(status.st_mode):04o}), "
            "who would be as good as root",
            hint=f"look at it, then: chmod go-w {path}",
        )


def _may_be_configuration(entry: os.DirEntry[str]) -> bool:
    try:
        return not is_leftover(entry.name) and not entry.is_dir()
    except OSError:
        return True  # who reads it is told what is wrong with it


def _may_describe_domain(entry: os.DirEntry[str]) -> bool:
    if not _may_be_configuration(entry) or is_of_xen(entry.name) or not entry.name.isprintable():
        return False
    try:
        mode = entry.stat().st_mode
    except OSError:
        return True
    return stat.S_ISREG(mode) and not mode & stat.S_IXUSR


def _read(path: str) -> bytes:
    """What is in a file that is trusted; a FIFO, or a tape, does not hold up."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise XendError("bad_config", f"{path} is no file", hint="a domain's configuration was expected")
        check_trusted(path, status)
        with open(fd, "rb", closefd=False) as file:
            data = file.read(MAX_TEXT_BYTES + 1)
    finally:
        os.close(fd)
    if len(data) > MAX_TEXT_BYTES:
        raise XendError("bad_config", f"{path} is longer than {MAX_TEXT_BYTES} bytes: no configuration")
    return data


def _unreadable(path: str, error: OSError) -> XendError:
    hint = "the domain's configuration was expected there" if isinstance(error, FileNotFoundError) else None
    return XendError("bad_config", f"{path} cannot be read", cause=error.strerror, hint=hint)
