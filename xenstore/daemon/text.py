"""Text of others on its way into a message or a log: one line, and nothing in it that a terminal would obey.

Guests write nodes, scripts print, files and domains have names, the system names paths.  What is not
printable (str.isprintable: control characters, line ends, escapes, marks of direction, bytes that are no
text) shows as the escape that Python writes for it, a byte as that of a byte.
"""

__all__ = ["Lines", "clean_lines", "lines_of", "one_line"]


class Lines(str):
    """Clean lines, with line ends between them that are meant: a log takes it for as many lines."""

    __slots__ = ()


def lines_of(text: str) -> list[str]:
    """The lines that a log makes of a text: one, whatever is in it, but for `Lines`."""
    return [one_line(line) for line in (text.split("\n") if isinstance(text, Lines) else [text])]


def one_line(text: str) -> str:
    """The same as one line without control characters; what is printable stays as it is."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def clean_lines(text: str) -> list[str]:
    """The lines of a text that may have several, such as a script's output, each as `one_line` gives it.

    Empty ones are left out; a tab is a blank.
    """
    lines = text.replace("\r\n", "\n").replace("\t", " ").split("\n")
    return [one_line(line) for line in lines if line]


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that is no UTF-8, as surrogateescape has it
        return f"\\x{ord(character) & 0xFF:02x}"
    return ascii(character)[1:-1]
