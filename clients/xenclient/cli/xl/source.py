"""The configuration file of xl create: where it is looked for, and its text."""

from __future__ import annotations

import os

from xenclient.cli.xl.failure import Failure

#: Of a file that is sent over the bus, whose messages have 1 MiB.
MOST_BYTES = 1_000_000
#: Where configurations are kept: NetBSD's place, Linux's.
DIRECTORIES = ("/usr/pkg/etc/xen", "/etc/xen")
DIRECTORY_VARIABLE = "XEND_CONFIG_DIR"


class Source:
    """A configuration's text and where it came from.

    Attributes:
        path: as it was given or found.
        text: of the file.
    """

    def __init__(self, path: str, text: str, is_file: bool) -> None:
        self.path = path
        self.text = text
        self._is_file = is_file

    def parameters(self) -> dict[str, str]:
        """As domain.create wants it: a device or pipe has no name that a domain might get."""
        if not self._is_file:
            return {"text": self.text, "directory": os.path.abspath(".")}
        directory, name = os.path.split(os.path.abspath(self.path))
        return {"text": self.text, "name": name, "directory": directory}


def read_source(file: str) -> Source:
    """The file's text; a plain name that is not here is looked for where configurations are kept, as xm did.

    Raises:
        Failure: it cannot be read, is too long, or is no text.
    """
    path = _find(file)
    try:
        with open(path, "rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise Failure(f"cannot read {file}: {os.strerror(error.errno or 0)}", hint=_hint(file)) from error
    if len(data) > MOST_BYTES:
        raise Failure(f"{path} is longer than {MOST_BYTES} bytes: no domain's configuration")
    return Source(path, _text(path, data), os.path.isfile(path))


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


def _text(path: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Failure(
            f"{path}:{line}: byte 0x{data[error.start]:02x} is no UTF-8", hint="save the file as UTF-8"
        ) from None
