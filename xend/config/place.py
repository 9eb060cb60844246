"""Where something stands in a configuration, and how errors quote it: always one line, never long."""

import attrs

from xenstore.daemon.text import one_line

__all__ = ["HIDDEN", "MAX_VALUE_BYTES", "Place", "bytes_of", "listed", "shown"]

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
        source, line = self.as_shown
        return source if line is None else f"{source}:{line}"

    @property
    def as_shown(self) -> tuple[str, int | str | None]:
        """Source and line, as errors may hold them."""
        line = _clipped(_printable(self.line)) if isinstance(self.line, str) else self.line
        return _printable(self.source[-_SOURCE_CHARS:]), line

    @property
    def order(self) -> tuple[int, int]:
        """Lines in their order, then a command line's words, then what concerns the whole."""
        if isinstance(self.line, int):
            return 0, self.line
        return (2, 0) if self.line is None else (1, 0)


#: In the place of a secret.
HIDDEN = "(not shown)"


def shown(text: str) -> str:
    """A piece of somebody's text between quotes, printable and clipped."""
    quote = "'" if '"' in text[:_SHOWN_CHARS] else '"'
    return f"{quote}{_clipped(_printable(text))}{quote}"


def bytes_of(text: str) -> bytes:
    """A text's bytes, those that are no UTF-8 as they were in the file."""
    return text.encode("utf-8", "surrogateescape")


def listed(words: tuple[str, ...] | list[str], last: str = "or") -> str:
    """ "a, b or c"."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _printable(text: str) -> str:
    # Cut first: the rest is not shown anyway, and this is slow.
    return text if text.isprintable() else one_line(text[: 4 * _SHOWN_CHARS])


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."
