"""How a boot loader is called and what it answers (guests.md 4.1: libxl's contract, which pygrub made).

PROGRAM [--kernel=K] [--ramdisk=R] [--args=A] --output=FILE --output-format=simple0 --output-directory=DIR
[more arguments] DISK
"""

import unicodedata
from collections.abc import Sequence

import attrs

__all__ = ["ANSWER_MAX_BYTES", "Answer", "Lie", "Loader", "argv_of", "parse"]

#: Of the file that holds the answer; a longer one is refused.
ANSWER_MAX_BYTES = 64 * 1024
#: Of the guest's command line in it: what the kernels of PV guests take (domain-build.md, MAX_GUEST_CMDLINE).
ARGS_MAX_BYTES = 1023
PATH_MAX_BYTES = 4096
_NONE = ("", "None", "(null)")


class Lie(Exception):
    """An answer that is none, or of which one cannot make use; its text says why."""


@attrs.frozen(kw_only=True)
class Loader:
    """A boot loader and what it is told, besides where its answer goes.

    Attributes:
        program: its path.
        arguments: more of them (bootloader_args).
        kernel, ramdisk: files on the guest's disk that the configuration names; None: it chooses.
        args: what the configuration adds to the kernel's command line.
        disk: the path of the disk, as the program sees it.
    """

    program: str
    arguments: Sequence[str] = ()
    kernel: str | None = None
    ramdisk: str | None = None
    args: str = ""
    disk: str = ""


@attrs.frozen(kw_only=True)
class Answer:
    """What it answered.

    Attributes:
        kernel, ramdisk: paths of files; None: it gave none.
        args: the kernel's command line.
    """

    kernel: str | None = None
    ramdisk: str | None = None
    args: str = ""


def argv_of(loader: Loader, output: str, directory: str) -> list[str]:
    """Its command line, with the file for the answer and the directory for the files."""
    given = (("kernel", loader.kernel), ("ramdisk", loader.ramdisk), ("args", loader.args))
    return [
        loader.program,
        *(f"--{name}={value}" for name, value in given if value),
        f"--output={output}",
        "--output-format=simple0",
        f"--output-directory={directory}",
        *loader.arguments,
        loader.disk,
    ]


def parse(data: bytes) -> Answer:
    """What an answer means: "kernel PATH", "ramdisk PATH" and "args TEXT", each ended by a null byte.

    Programs that know no simple0 end them by a newline; words that the contract does not have are passed
    over, as libxl does.

    Raises:
        Lie: it is too long, has one of them twice, or control characters.
    """
    if len(data) > ANSWER_MAX_BYTES:
        raise Lie(f"its answer has more than {ANSWER_MAX_BYTES} bytes")
    separator = b"\0" if b"\0" in data else b"\n"
    found: dict[str, str] = {}
    for item in data.split(separator):
        word, _, rest = item.strip(b"\r\n").partition(b" ")
        name, value = word.decode("latin-1"), rest.decode("utf-8", "surrogateescape")
        if name not in ("kernel", "ramdisk", "args"):
            continue
        if name in found:
            raise Lie(f"its answer has {name} twice")
        if any(unicodedata.category(letter) == "Cc" for letter in value):
            raise Lie(f"its answer has control characters in {name}")
        if len(rest) > (most := ARGS_MAX_BYTES if name == "args" else PATH_MAX_BYTES):
            raise Lie(f"its answer has {len(rest)} bytes of {name}, expected at most {most}")
        found[name] = value
    paths = {name: None if found.get(name, "") in _NONE else found[name] for name in ("kernel", "ramdisk")}
    return Answer(**paths, args=found.get("args", ""))
