"""The configuration file of xl create: where it is searched, and its text."""

from __future__ import annotations

import os

from xenclient.cli.xl.failure import Failure

#: The longest file that is sent: a message of the bus has at most 1 MiB.
MOST_BYTES = 1_000_000
#: Where configurations are kept: NetBSD's place, Linux's.
DIRECTORIES = ("/usr/pkg/etc/xen", "/etc/xen")
DIRECTORY_VARIABLE = "XEND_CONFIG_DIR"


class Source:
    """A configuration's text and where it came from.

    Attributes:
        path: as it was given or found.
        text: of the file; bytes that are no UTF-8 as os.fsdecode has them.
    """

    def __init__(self, path: str, text: str, is_file: bool) -> None:
        self.path = path
        self.text = text
        self._is_file = is_file

    def parameters(self) -> dict[str, str]:
        """The parameters of domain.create; a device or pipe gives no name, which a domain might get."""
        given = {"text": self.text}
        if self._is_file:
            given["name"] = os.path.basename(self.path)
        if (directory := working_directory()) is not None:
            given["directory"] = directory
            if self._is_file:
                given["path"] = os.path.join(directory, self.path)
        return given


def read_source(file: str) -> Source:
    """Read the file; a plain name that is not here is searched where configurations are kept, as xm did.

    Raises:
        Failure: it cannot be read, or is too long.
    """
    path = _find(file)
    try:
        with open(path, "rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise Failure(f"cannot read {file}: {os.strerror(error.errno or 0)}", hint=_hint(file)) from error
    if len(data) > MOST_BYTES:
        raise Failure(f"{path} is longer than {MOST_BYTES} bytes: no domain's configuration")
    return Source(path, data.decode("utf-8", "surrogateescape"), os.path.isfile(path))


def working_directory() -> str | None:
    """The directory that relative file names start from, as the caller's shell names it; None: it is gone."""
    called = os.environ.get("PWD", "")
    try:
        if os.path.isabs(called) and os.path.samefile(called, "."):
            return os.path.normpath(called)
    except OSError:
        pass  # an old one, or none
    try:
        return os.getcwd()
    except OSError:
        return None


def absolute_path(file: str) -> str:
    """The path of a file that xend is to open or make.

    Raises:
        Failure: the directory in which it would be is gone.
    """
    directory = working_directory()
    if directory is None and not os.path.isabs(file):
        raise Failure(f"{file}: the directory in which it would be is gone", hint="give an absolute path")
    return os.path.join(directory or "/", file)


def _find(file: str) -> str:
    if "/" in file or os.path.exists(file):
        return file
    places = [os.path.join(directory, file) for directory in _directories()]
    return next((place for place in places if os.path.isfile(place)), file)


def _directories() -> tuple[str, ...]:
    chosen = os.environ.get(DIRECTORY_VARIABLE)
    return (chosen, *DIRECTORIES) if chosen else DIRECTORIES


def _hint(file: str) -> str:
    return "" if "/" in file else f"looked for here and in {', '.join(_directories())}"
