"""Where something stands in a configuration, and how errors quote it: always one line, never long."""

import attrs

from xend.errors import XendError

__all__ = ["MAX_VALUE_BYTES", "Place", "listed", "shown"]

#: The longest text that an option or a device takes: the store would not hold much more in a node.
MAX_VALUE_BYTES = 2048

_SHOWN_CHARS = 60
_SOURCE_CHARS = 255


@attrs.frozen
class Place:
    """A line of a source.

    Attributes:
        source: a file's name, "command line", or a method of the bus.
        line: its number from 1; the word itself on a command line; None: the whole source.
        is_call: it is a method: who called it did so by another name, and errors have it in a field.
    """

    source: str
    line: int | str | None = None
    is_call: bool = False

    def __str__(self) -> str:
        """ "SOURCE:LINE", without control characters."""
        source = _printable(self.source[-_SOURCE_CHARS:])
        return source if self.line is None else f"{source}:{_clipped(_printable(str(self.line)))}"

    def error(self, complaint: str, *, hint: str | None = None, code: str = "bad_config") -> XendError:
        """The error "SOURCE:LINE: complaint"; of a call "complaint", with the method."""
        if self.is_call:
            return XendError(code, complaint, method=self.source, hint=hint)
        return XendError(code, f"{self}: {complaint}", hint=hint)


def shown(text: str) -> str:
    """A piece of somebody's text between quotes, printable and clipped."""
    quote = "'" if '"' in text[:_SHOWN_CHARS] else '"'
    return f"{quote}{_clipped(_printable(text))}{quote}"


def listed(words: tuple[str, ...] | list[str], last: str = "or") -> str:
    """ "a, b or c"."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    # Cut first: the rest is not shown anyway, and this is slow.
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: 4 * _SHOWN_CHARS])


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."
