"""The words of an xl.cfg text: names, numbers, texts in quotes, signs and line ends."""

import keyword
import re
from collections.abc import Callable, Collection
from typing import NoReturn

import attrs

from xend.config.place import Place, bytes_of, shown
from xend.config.problem import ConfigError, Problem
from xend.config.slips import COMMENT_SIGNS, COMMENTS, FOREIGN, TEMPLATE, TEMPLATE_PLACE, sign_hint
from xend.config.text import text_of

__all__ = [
    "END", "MAX_WORDS", "NAME", "NEWLINE", "NUMBER", "SIGN", "TEXT", "PythonError", "Token", "Tokens",
    "unquoted",
]  # fmt: skip

#: So that nobody waits for long while a text is read: 0.3 s or so.
MAX_WORDS = 100_000

NAME, NUMBER, TEXT, SIGN, NEWLINE, END, OTHER = "name", "number", "text", "sign", "newline", "end", "other"

# Each alternative is linear, and none starts where another one may: no backtracking.
_TOKEN = re.compile(
    r"""(?P<blank> [ \t\r\f]++ | \#[^\n]*+ )
      | (?P<newline> \n )
      | (?P<name> [A-Za-z_][._0-9A-Za-z]*+ )
      | (?P<number> [0-9][._0-9A-Za-z]*+ )
      | (?P<text> '(?:[^'\\\n]|\\.)*+' | "(?:[^"\\\n]|\\.)*+" )
      | (?P<sign> \+= | [=;,\[\]] )
      | (?P<other> . )""",
    re.VERBOSE,
)

_BEFORE_STATEMENT = re.compile(r"\n(?=[ \t]*+[A-Za-z_])")
_PYTHON_HINT = (
    "xm's files were Python programs; this file is read, never executed: "
    "write the value that it would compute"
)
_PYTHON_WORDS = frozenset([*keyword.kwlist, "exec", "print"])
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)")
_ESCAPED = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"',
}  # fmt: skip


class PythonError(ConfigError):
    """What was found looks like a program."""


@attrs.frozen
class Token:
    """A word as written; an END's text is empty."""

    kind: str
    text: str
    place: Place
    position: int

    def is_sign(self, sign: str) -> bool:
        return self.kind == SIGN and self.text == sign


class Tokens:
    """The words of a text one after the other; `now` is the one to be read next.

    Args:
        place_of: gives the place of a line number.
    """

    def __init__(self, text: str, place_of: Callable[[int], Place]) -> None:
        self._text = text
        self._place_of = place_of
        self._position = 0
        self._line = 1
        self._words = 0
        self._has_begun = False
        self._place = place_of(1)
        self.now = self._read()

    def advance(self) -> Token:
        """Step over `now`, which is returned."""
        token = self.now
        self._has_begun = self._has_begun or token.kind != NEWLINE
        self.now = self._read()
        return token

    def skip_newlines(self) -> None:
        while self.now.kind == NEWLINE:
            self.advance()

    def skip_to_statement(self) -> None:
        """Step over the rest of this line, and lines after it that begin with no word."""
        at = self.now.position
        line = self._line - (self.now.kind == NEWLINE)
        match = _BEFORE_STATEMENT.search(self._text, at)
        self._position = match.end() if match else len(self._text)
        self._line = line + self._text.count("\n", at, self._position)
        self._place = self._place_of(self._line)
        self.now = self._read()

    def refuse(
        self,
        expected: str,
        hint: str | None = None,
        slips: Collection[str] = (),
        slip: str | None = None,
    ) -> NoReturn:
        """Raise the error that `now` is not what was expected.

        Args:
            slips: signs that are slips of the pen here, and no program.
            slip: the hint of such a slip, whatever was found.
        """
        token = self.now
        if token.kind == OTHER and token.text in "'\"":
            raise ConfigError.at(
                token.place, "found a text without its closing quote, expected that on the same line"
            )
        text = f"found {_described(token)}, expected {expected}"
        if not self._has_begun:
            slip = FOREIGN.get(token.text) or slip
        if token.text in slips:
            slip = sign_hint(token.text)
        if self._text.startswith(COMMENT_SIGNS, token.position):
            slip = COMMENTS
        if TEMPLATE_PLACE.match(self._text, token.position):
            slip = TEMPLATE
        if slip is None and self._looks_like_python():
            raise PythonError([Problem.at(token.place, text, hint=_PYTHON_HINT)])
        raise ConfigError.at(token.place, text, hint=slip or hint or sign_hint(token.text))

    def refuse_python(self) -> None:
        """Raise an error if `now` is a word of Python's."""
        if self.now.kind == NAME and self.now.text in _PYTHON_WORDS:
            self.refuse("an option's name")

    def _looks_like_python(self) -> bool:
        """Whether `now`, which is not in its place, looks as if somebody meant to compute."""
        token = self.now
        following = self._text[self._position : self._position + 20].lstrip(" \t")[:1]
        if token.kind == NAME:
            return token.text in _PYTHON_WORDS or "." in token.text or following in tuple("([+-*/%")
        if token.text == "-" and following.isdigit():
            return False
        # A text after a text is what Python joins, or what is left of a text in three quotes.
        return token.kind == TEXT or (token.kind == OTHER and token.text in "+-*/%(){}\\:@")

    def _read(self) -> Token:
        while True:
            position = self._position
            match = _TOKEN.match(self._text, position)
            if match is None:
                return Token(END, "", self._place, position)
            self._position = match.end()
            kind = match.lastgroup or OTHER
            if kind == "blank":
                continue
            self._words += 1
            if self._words > MAX_WORDS:
                raise ConfigError.at(
                    self._place, f"found more than {MAX_WORDS} words, expected a configuration"
                )
            token = Token(kind, match[0], self._place, position)
            if kind == NEWLINE:
                self._line += 1
                self._place = self._place_of(self._line)
            return token


def unquoted(token: Token) -> str:
    """What a TEXT stands for: its quotes taken off, its escapes resolved.

    Raises:
        ConfigError: an escape that there is not, or that makes a NUL.
    """
    body = token.text[1:-1]
    if "\\" in body:
        body = _ESCAPE.sub(lambda match: _unescaped(match[1], token), body)
        # Escaped bytes above 127 are surrogates so far: they may be parts of UTF-8 characters.
        body = text_of(bytes_of(body))
    if "\0" in body:
        raise ConfigError.at(token.place, f"found a NUL in {shown(token.text)}, expected a text without")
    return body


def _unescaped(escape: str, token: Token) -> str:
    if escape[0] == "x" and len(escape) == 3:
        code = int(escape[1:], 16)
    elif escape[0] in "01234567":
        code = int(escape, 8)
    else:
        if escape in _ESCAPED:
            return _ESCAPED[escape]
        code = 256
    if code > 255:
        raise ConfigError.at(
            token.place,
            f"found \\{escape if escape.isprintable() else '?'} in a text, "
            "expected one of \\a \\b \\f \\n \\r \\t \\v \\\\ \\' \\\", "
            "\\ and up to three octal digits to \\377, or \\x and two hexadecimal digits",
        )
    return chr(code) if code < 0x80 else chr(0xDC00 + code)


def _described(token: Token) -> str:
    if token.kind == END:
        return "the end"
    if token.kind == NEWLINE:
        return "the end of the line"
    return shown(token.text)
