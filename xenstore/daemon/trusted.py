"""Directories and files that only root and this program's user can change: how they are made and opened.

A run directory that somebody else made holds the journal, the locks and the sockets that he likes, and
what is written through his link goes where he points.  So nothing is used that belongs to somebody else,
that others may write to, or that lies behind another's link.  Whoever can write to a directory above can
put another one in its place: all of them are looked at, up to the root, as ssh's StrictModes does.

Allowed above: a directory with the sticky bit (/tmp), where nobody renames what is another's; and one of
root's that a group may write to, which is the administrator's choice.  Allowed everywhere: write access
for a group in which nobody else is, as Debian gives each user one.
"""

import errno
import grp
import os
import pwd
import stat
from contextlib import suppress

__all__ = [
    "Untrusted",
    "check_directory",
    "check_files",
    "check_logs",
    "check_place",
    "make_directory",
    "open_file",
    "open_log",
]

_LINKS_MAX = 40
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
#: What is neither a file nor a device.
_KINDS = {stat.S_IFDIR: "directory", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}


class Untrusted(OSError):
    """Somebody else could have made or changed what is at a path; the text says who, and what to do."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(errno.EPERM, problem, path)

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


def make_directory(path: str | os.PathLike[str], mode: int = 0o755) -> None:
    """Make a directory where it is missing, with those above, and see that it is safe.

    Raises:
        Untrusted: it was there, and is not; or one above.
        OSError: it cannot be made, or is none.
    """
    path = os.path.abspath(path)
    missing = []
    there = path
    while not os.path.lexists(there):
        missing.append(there)
        there = os.path.dirname(there)
    if missing:
        _check_way(there, is_above=True)
    for each in reversed(missing):
        with suppress(FileExistsError):
            os.mkdir(each, mode if each == path else 0o755)
    check_directory(path)


def check_directory(path: str | os.PathLike[str]) -> None:
    """See that nobody but root and this user can change what is in a directory, or put another in its place.

    Raises:
        Untrusted: somebody can.
        OSError: it is none, or cannot be looked at.
    """
    _check_way(os.path.abspath(path), is_above=False)


def check_files(directory: str | os.PathLike[str], *, but_directories: bool = False) -> None:
    """See that all that lies directly in a directory is a file that nobody else could have made or changed.

    Who opens a pipe or a device waits for its other end, for ever perhaps.

    but_directories: these are left to whoever reads the files, and tells of what is none.

    Raises:
        Untrusted: something is not.
    """
    with os.scandir(directory) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            _check_file(entry.path, status)
            if not (but_directories and stat.S_ISDIR(status.st_mode)):
                _check_kind(entry.path, status)


def open_file(path: str | os.PathLike[str], flags: int, mode: int = 0o600) -> int:
    """A descriptor of a file, opened through no link; where it is new it has this mode.

    It never waits for a pipe's other end, and is truncated, if asked to be, only if it is safe.  What is only
    appended to may be a device or a pipe, too.

    Raises:
        Untrusted: somebody else could have made or changed it, or one of the directories above, or it is no
            file.
        OSError: it cannot be opened.
    """
    path = os.path.abspath(path)
    directory = os.path.dirname(path)
    try:
        _check_way(directory, is_above=True)
    except Untrusted:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    wanted = flags & ~os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        fd = os.open(path, wanted, mode)
    except OSError as error:
        if os.path.islink(path):
            raise Untrusted(
                path, "is a link, and none is followed here: name what it leads to, or remove it"
            ) from error
        raise
    try:
        status = os.fstat(fd)
        _check_file(path, status)
        if not flags & os.O_APPEND:
            _check_kind(path, status)
        if stat.S_ISREG(status.st_mode):
            if status.st_nlink > 1 and os.stat(directory).st_mode & _OTHERS:
                raise Untrusted(path, f"has {status.st_nlink} names, which anybody could give it: remove it")
            if flags & os.O_TRUNC:
                os.ftruncate(fd, 0)
    except BaseException:
        os.close(fd)
        raise
    return fd


def open_log(path: str, mode: int = 0o600) -> int:
    """A descriptor to append to a file by, in a directory that is made where it is missing.

    Raises:
        Untrusted, OSError: as `open_file`.
    """
    if not os.path.lexists(os.path.dirname(path)):
        make_directory(os.path.dirname(path))
    return open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, mode)


def check_logs(directory: str) -> None:
    """See that logs can be opened in a directory, if it is there; one with the sticky bit will do.

    Raises:
        Untrusted: somebody else could put others in their place.
    """
    if os.path.lexists(directory):
        _check_way(os.path.abspath(directory), is_above=True)


def check_place(path: str | os.PathLike[str]) -> None:
    """See that nobody but root and this user can put another thing in the place of what is at a path.

    Whose that thing is, and who may change what is in it, does not matter; it need not be there.

    Raises:
        Untrusted: somebody can.
        OSError: a directory above is none, or cannot be looked at.
    """
    links = 0
    while True:
        path = os.path.abspath(path)
        above = os.path.dirname(path)
        _check_way(above, is_above=True)
        if not os.path.lexists(path):
            return
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            _check_owner(path, status, "is a link that")
        elif os.stat(above).st_mode & (stat.S_ISVTX | stat.S_IWOTH) == stat.S_ISVTX | stat.S_IWOTH:
            _check_owner(path, status, "lies where anybody may write, and")
        if not stat.S_ISLNK(status.st_mode):
            return
        links += 1
        if links > _LINKS_MAX:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
        path = os.path.join(above, os.readlink(path))


def _check_way(path: str, *, is_above: bool) -> None:
    """Look at a directory and all above it, and at the links on the way.

    is_above: what is to be safe is something in it, not all of it.
    """
    here = "/"
    rest = _names(path)
    links = 0
    _check_above(here, os.lstat(here))
    while rest:
        name = rest.pop()
        if name == "..":
            here = os.path.dirname(here)
            continue
        step = os.path.join(here, name)
        status = os.lstat(step)
        if stat.S_ISLNK(status.st_mode):
            links += 1
            if links > _LINKS_MAX:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            _check_owner(step, status, "is a link that")
            target = os.readlink(step)
            here = "/" if target.startswith("/") else here
            rest += _names(target)
            continue
        here = step
        if not stat.S_ISDIR(status.st_mode):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), step)
        if rest or is_above:
            _check_above(step, status)
        else:
            _check_owner(step, status, "")
            _check_writers(step, status)


def _names(path: str) -> list[str]:
    """The names in a path, last one first."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def _check_above(path: str, status: os.stat_result) -> None:
    _check_owner(path, status, "")
    if status.st_mode & stat.S_ISVTX:
        return
    if status.st_uid == 0 and not status.st_mode & stat.S_IWOTH:
        return
    _check_writers(path, status)


def _check_file(path: str, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise Untrusted(path, "is a link, and none is followed here: name what it leads to, or remove it")
    _check_owner(path, status, "")
    if stat.S_ISREG(status.st_mode):
        _check_writers(path, status)


def _check_kind(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "device")
        raise Untrusted(path, f"is a {kind}, where a file is expected: remove it, or choose another place")


def _check_owner(path: str, status: os.stat_result, kind: str) -> None:
    if status.st_uid in (0, os.geteuid()):
        return
    expected = "root" if os.geteuid() == 0 else f"{_user(os.geteuid())} or root"
    raise Untrusted(
        path,
        f"{kind} belongs to {_user(status.st_uid)}, mode {stat.S_IMODE(status.st_mode):04o}, where "
        f"{expected} is expected: chown it if you trust what is there, or choose another place".strip(),
    )


def _check_writers(path: str, status: os.stat_result) -> None:
    mode = status.st_mode
    others = bool(mode & stat.S_IWOTH)
    group = bool(mode & stat.S_IWGRP) and not _is_alone_in(status.st_gid)
    if others or group:
        whom = "anybody" if others else f"the group {_group(status.st_gid)}"
        raise Untrusted(
            path,
            f"belongs to {_user(status.st_uid)}, mode {stat.S_IMODE(mode):04o}: {whom} may write to it: "
            f"chmod {'g' if group else ''}{'o' if others else ''}-w {path}",
        )


def _is_alone_in(gid: int) -> bool:
    """Whether nobody but this user, and root, is in a group."""
    user = os.geteuid()
    members = {entry.pw_uid for entry in pwd.getpwall() if entry.pw_gid == gid}
    with suppress(KeyError):
        for name in grp.getgrgid(gid).gr_mem:
            with suppress(KeyError):
                members.add(pwd.getpwnam(name).pw_uid)
    if not members - {0}:
        return gid == os.getegid()
    return members <= {0, user}


def _user(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (user {uid})"
    except KeyError:
        return f"user {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
