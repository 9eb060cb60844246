"""The bytes of a configuration as text.

xl is 8 bit clean: bytes that are no UTF-8 stand for themselves, in comments and in texts.  Python keeps them
as surrogates (os.fsencode gives them back), so that names of files reach the system as they were written.
"""

from xend.config.place import Place, bytes_of
from xend.config.problem import ConfigError

__all__ = ["MAX_TEXT_BYTES", "check_text", "text_of"]

MAX_TEXT_BYTES = 1 << 20

_BOM = "\ufeff"
#: What UTF-16 and UTF-32 may begin with, read as if it were UTF-8.
_WIDE_BOMS = ("\udcff\udcfe", "\udcfe\udcff", "\0\0\udcfe\udcff")


def text_of(data: bytes) -> str:
    """The text of a file."""
    return data.decode("utf-8", "surrogateescape")


def check_text(text: str, source: str, word: str | None = None) -> str:
    """The text that is to be read: without the mark that some editors put in front of UTF-8.

    Args:
        word: what the place is called where the text is a word of a command line.

    Raises:
        ConfigError: it is too long, in an encoding that xl cannot read either, or holds a NUL.
    """
    whole = Place(source, word)
    if text.startswith(_WIDE_BOMS):
        raise ConfigError.at(whole, "found UTF-16 or UTF-32, expected UTF-8", hint="save it as UTF-8")
    try:
        is_long = len(text) > MAX_TEXT_BYTES or len(bytes_of(text)) > MAX_TEXT_BYTES
    except UnicodeEncodeError:  # half of a pair, which no bytes stand for
        raise ConfigError.at(whole, "found what is no UTF-8, expected a configuration") from None
    if is_long:
        raise ConfigError.at(whole, f"found more than {MAX_TEXT_BYTES} bytes, expected a configuration")
    nul = text.find("\0")
    if nul >= 0:
        line = word or text.count("\n", 0, nul) + 1
        raise ConfigError.at(
            Place(source, line), "found a NUL, expected a text file", hint="save it as UTF-8"
        )
    return text.removeprefix(_BOM)
