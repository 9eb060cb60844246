"""Why a program of the system's, a hotplug script above all, cannot be run: the kernel's errno is none of it.

ENOENT of a script that is there means its interpreter; EACCES a mode, a directory above, or a mount option.
"""

import os
import re
import shutil
import stat

import attrs

from xend.config.place import shown
from xend.device.reasons import UNRUNNABLE

__all__ = ["Unrunnable", "has_carriage_returns", "refused", "unrunnable"]

#: How much of a file is looked at; Linux itself looks at 256 bytes for the interpreter.
_HEAD_BYTES = 4096
_INTERPRETERS_MAX = 4  # scripts whose interpreter is a script, as on Linux
_BEGIN = b"#!"
_UNIX_HINT = "save it with line ends of Unix: tr -d '\\r' takes the others away"


@attrs.frozen
class Unrunnable:
    """Attributes:
    reason: one of `reasons.UNRUNNABLE`.
    complaint: goes on after the program's path: "does not exist".
    hint: what to do.
    """

    reason: str = attrs.field(validator=attrs.validators.in_(UNRUNNABLE))
    complaint: str
    hint: str | None = None


def unrunnable(program: str, search_path: str) -> Unrunnable | None:
    """What the kernel would refuse for certain; None: nothing.

    search_path: where env(1) would look for an interpreter.
    """
    at = program
    for _ in range(_INTERPRETERS_MAX):
        found = _not_there(at) or _not_executable(at)
        if found is not None:
            return found if at == program else _of_interpreter(found, at)
        words = _first_line(_head(at))
        if not words:
            return None
        found = _carriage_return(words) or _not_found_by_env(words, search_path)
        if found is not None:
            return found
        at = os.path.join("/", words[0])
    return None


def refused(program: str, search_path: str) -> Unrunnable | None:
    """What it is, now that the kernel has refused; None: another errno says it."""
    found = unrunnable(program, search_path)
    head = _head(program)
    if found is not None or head.startswith(b"\x7fELF") or _first_line(head):
        return found
    is_marked = re.match(rb"\xef\xbb\xbf|\xff\xfe|\xfe\xff", head) is not None
    begins = "begins with a byte order mark, not" if is_marked else "does not begin"
    complaint = f"cannot be run: it {begins} with #! and an interpreter"
    return Unrunnable("no_first_line", complaint, "let it begin with #!/bin/sh")


def has_carriage_returns(program: str) -> bool:
    """Whether its lines end as on Windows, so that the interpreter stumbles over what it can run."""
    return b"\r\n" in _head(program)


def _not_there(path: str) -> Unrunnable | None:
    try:
        status = os.stat(path)
    except PermissionError:
        closed = _closed_directory(path)
        return Unrunnable(
            "closed_directory", f"cannot be reached: {closed} may not be searched", f"chmod a+x {closed}"
        )
    except (FileNotFoundError, NotADirectoryError):
        if os.path.islink(path):
            return Unrunnable("missing", f"is a link to {shown(os.readlink(path))}, which does not exist")
        return Unrunnable("missing", "does not exist")
    except OSError as error:
        return Unrunnable("missing", f"cannot be reached: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return Unrunnable("no_file", "is a directory" if stat.S_ISDIR(status.st_mode) else "is no file")
    return None


def _not_executable(path: str) -> Unrunnable | None:
    if os.statvfs(path).f_flag & getattr(os, "ST_NOEXEC", 0):
        return Unrunnable("noexec", "cannot be run: its file system is mounted noexec", "see mount(8)")
    if not os.access(path, os.X_OK):
        return Unrunnable("not_executable", "is not executable", f"chmod 755 {path}")
    return None


def _of_interpreter(found: Unrunnable, interpreter: str) -> Unrunnable:
    complaint = f"cannot be run: its first line names {shown(interpreter)}, which {found.complaint}"
    return Unrunnable("no_interpreter", complaint, found.hint)


def _carriage_return(words: list[str]) -> Unrunnable | None:
    """An interpreter whose name would end in one; as an option's end some take it."""
    last = words[-1] if _is_env(words) else words[0]
    if not last.endswith("\r") or (len(words) == 1 and os.path.exists(last)):
        return None
    complaint = f"cannot be run: its first line names {shown(last)}, with a carriage return at its end"
    return Unrunnable("carriage_return", complaint, _UNIX_HINT)


def _not_found_by_env(words: list[str], search_path: str) -> Unrunnable | None:
    if not _is_env(words) or shutil.which(words[1], path=search_path) is not None:
        return None
    complaint = f"cannot be run: its first line names {shown(words[1])}, which env does not find"
    return Unrunnable(
        "no_interpreter", complaint, f"install it, or name it by its path; PATH is {search_path}"
    )


def _is_env(words: list[str]) -> bool:
    """Whether the interpreter is env(1), with nothing but a program's name."""
    is_name = len(words) == 2 and re.fullmatch(r"[^-=/\s][^=/\s]*\r?", words[1]) is not None
    return is_name and os.path.basename(words[0]) == "env"


def _closed_directory(path: str) -> str:
    """The uppermost directory above that may not be searched."""
    above = os.path.dirname(os.path.abspath(path))
    parts = [above]
    while above != "/":
        above = os.path.dirname(above)
        parts.append(above)
    return next((part for part in reversed(parts) if not os.access(part, os.X_OK)), parts[0])


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError:
        return b""


def _first_line(head: bytes) -> list[str]:
    """The interpreter that a script's first line names, and all that follows as one word; empty: none."""
    if not head.startswith(_BEGIN):
        return []
    line = head.removeprefix(_BEGIN).partition(b"\n")[0].strip(b" \t")
    return [os.fsdecode(word) for word in re.split(rb"[ \t]+", line, maxsplit=1) if word]
