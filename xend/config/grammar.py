"""The grammar of xl.cfg(5): assignments of texts, numbers and lists; nothing is ever computed.

    statement = NAME ("=" | "+=") value, ended by a line's end or ";"
    value     = TEXT | NUMBER | "[" [value {"," value} [","]] "]"

Inside of brackets lines may end anywhere.  The same parser reads the words of a command line.
"""

import re
from collections.abc import Container, Iterable, Sequence

import attrs

from xend.config.number import NUMBER_FORMS, number_of
from xend.config.place import HIDDEN, Place, shown
from xend.config.problem import MAX_PROBLEMS, ConfigError, Problem
from xend.config.slips import ASSIGNMENT, NO_COMMA, VALUE_SLIPS, name_hint, sign_hint, word_hint
from xend.config.text import check_text
from xend.config.tokens import END, NAME, NEWLINE, NUMBER, TEXT, PythonError, Token, Tokens, unquoted

__all__ = [
    "COMMAND_LINE",
    "MAX_DEPTH",
    "Assignment",
    "Malformed",
    "Value",
    "parse_assignments",
    "parse_words",
]

MAX_DEPTH = 32

#: The source's name of what stands on a command line.
COMMAND_LINE = "command line"

_NAME = re.compile(r"[a-z][._0-9a-z]*")
_UNQUOTED = re.compile(r"\s*([a-z][._0-9a-z]*)\s*=\s*([^\s'\"\[].*)", re.DOTALL)
_VALUE = "a text in quotes, a number or a list in brackets"


@attrs.frozen
class Value:
    """A value.

    Attributes:
        place: where it begins.
        text: a text; a number as it was written; empty for a list.
        number: a number that was not written in quotes.
        items: a list's values.
        is_secret: errors do not quote it.
    """

    place: Place
    text: str = ""
    number: int | None = None
    items: tuple["Value", ...] | None = None
    is_secret: bool = False

    @property
    def kind(self) -> str:
        """ "a list", "a number" or "a text"."""
        if self.items is not None:
            return "a list"
        return "a text" if self.number is None else "a number"

    def __str__(self) -> str:
        """As errors quote it."""
        if self.items is not None:
            return "a list"
        if self.is_secret:
            return HIDDEN
        return shown(self.text) if self.number is None else self.text

    def hidden(self) -> "Value":
        """The same as a secret, with all that it holds."""
        items = None if self.items is None else tuple(item.hidden() for item in self.items)
        return attrs.evolve(self, items=items, is_secret=True)

    def plain(self) -> object:
        """The same as str, int or list."""
        if self.items is not None:
            return [item.plain() for item in self.items]
        return self.text if self.number is None else self.number


@attrs.frozen
class Assignment:
    """`name = value`, or `name += value` with append."""

    name: str
    value: Value
    place: Place
    append: bool = False

    @property
    def line(self) -> int | str | None:
        """Its line's number; the word itself where it stood on a command line."""
        return self.place.line


class Malformed(ConfigError):
    """Some statements could not be read, and the others were.

    Attributes:
        assignments: the others.
        unread: the names of those that were not, as far as these have one.
    """

    def __init__(
        self, problems: Sequence[Problem], assignments: Sequence[Assignment], unread: Iterable[str]
    ) -> None:
        super().__init__(problems)
        self.assignments = tuple(assignments)
        self.unread = frozenset(unread)


def parse_assignments(text: str, source: str) -> list[Assignment]:
    """The assignments of a file's text, in order.

    Args:
        source: the file's name, for errors.

    Raises:
        Malformed: "SOURCE:LINE: found ..., expected ...", of each statement that is wrong.
        ConfigError: it looks like a program, or is no text, see `check_text`; over MAX_WORDS, or lists nested
            deeper than MAX_DEPTH.
    """
    return _assignments(Tokens(check_text(text, source), lambda line: Place(source, line)))


def parse_words(words: Sequence[str], repeated: Container[str]) -> list[Assignment]:
    """The assignments that a command line's words are, each as a file's line would be.

    As for xm, a value needs no quotes (`kernel=/netbsd`), and what gives a domain devices (`disk=`, `vif=`)
    may be repeated without brackets for further items; the first one replaces those of the file.

    Args:
        repeated: the options that may be repeated, one item each.

    Raises:
        ConfigError: as `parse_assignments`, with the word in place of the line.
    """
    assignments: list[Assignment] = []
    begun: set[str] = set()
    for word in words:
        place = Place(COMMAND_LINE, word)
        check_text(word, COMMAND_LINE, word)
        bare = _UNQUOTED.fullmatch(word)
        if bare is None or number_of(bare[2].strip()) is not None or _is_number_first(bare[2]):
            assignments += _word_assignments(word, place)
            continue
        name, value = bare[1], Value(place, bare[2].rstrip())
        if name in repeated:
            value = Value(place, items=(value,))
        assignments.append(Assignment(name, value, place, append=name in repeated and name in begun))
        begun.add(name)
    return assignments


def _word_assignments(word: str, place: Place) -> list[Assignment]:
    return _assignments(Tokens(word, lambda line: place))


def _is_number_first(text: str) -> bool:
    """ "256; vcpus=2": more than one statement, thus a file's grammar."""
    first, semicolon, _ = text.partition(";")
    return bool(semicolon) and number_of(first.strip()) is not None


def _assignments(tokens: Tokens) -> list[Assignment]:
    """All of them; after one that is wrong it goes on at the next line that begins one."""
    assignments: list[Assignment] = []
    problems: list[Problem] = []
    unread: set[str] = set()
    while tokens.now.kind != END and len(problems) < MAX_PROBLEMS:
        if tokens.now.kind == NEWLINE or tokens.now.is_sign(";"):
            tokens.advance()
            continue
        begins_with = tokens.now.text
        try:
            assignments.append(_assignment(tokens))
        except PythonError as error:  # all of it is another language
            raise ConfigError([*problems, *error.problems]) from None
        except ConfigError as error:
            problems += error.problems
            unread.add(begins_with.lower())
            tokens.skip_to_statement()
    if problems:
        raise Malformed(problems, assignments, unread)
    return assignments


def _assignment(tokens: Tokens) -> Assignment:
    tokens.refuse_python()
    if tokens.now.kind != NAME:
        tokens.refuse("an option's name", slip=name_hint(tokens.now.text))
    if not _NAME.fullmatch(tokens.now.text):
        tokens.refuse("an option's name in lower case")
    name = tokens.advance()
    append = tokens.now.is_sign("+=")
    if not append and not tokens.now.is_sign("="):
        hint = ASSIGNMENT if tokens.now.kind == NAME else None
        tokens.refuse(f"= or += after {shown(name.text)}", hint, slip=name_hint(tokens.now.text))
    tokens.advance()
    value = _value(tokens)
    if tokens.now.kind not in (NEWLINE, END) and not tokens.now.is_sign(";"):
        tokens.refuse("the end of the line or ; after the value")
    return Assignment(name.text, value, name.place, append)


def _value(tokens: Tokens) -> Value:
    """One value; without recursion, as lists nest as deep as somebody likes."""
    open_lists: list[tuple[Place, list[Value]]] = []
    while True:
        value = _atom_or_empty(tokens, open_lists)
        while value is not None:
            if not open_lists:
                return value
            open_lists[-1][1].append(value)
            value = _after_item(tokens, open_lists)


def _atom_or_empty(tokens: Tokens, open_lists: list[tuple[Place, list[Value]]]) -> Value | None:
    """A text or number, or the list that ends here before another item; None: a list begins."""
    if open_lists:
        tokens.skip_newlines()
    token = tokens.now
    if token.is_sign("["):
        if len(open_lists) == MAX_DEPTH:
            tokens.refuse(f"lists nested at most {MAX_DEPTH} deep")
        open_lists.append((token.place, []))
        tokens.advance()
        return None
    if token.is_sign("]") and open_lists:
        return _closed(tokens, open_lists)
    if token.kind not in (TEXT, NUMBER):
        in_list = ", or ]" + _of_list(tokens, open_lists) if open_lists else ""
        hint = word_hint(token.text) if token.kind == NAME else None
        tokens.refuse(_VALUE + in_list, hint=hint, slips=VALUE_SLIPS)
    tokens.advance()
    return _atom(token)


def _after_item(tokens: Tokens, open_lists: list[tuple[Place, list[Value]]]) -> Value | None:
    """Step over what follows a list's item: the list that it ends; None: there may be another item."""
    tokens.skip_newlines()
    if tokens.now.is_sign("]"):
        return _closed(tokens, open_lists)
    if not tokens.now.is_sign(","):
        slip = NO_COMMA if tokens.now.kind in (TEXT, NUMBER) or tokens.now.is_sign("[") else None
        tokens.refuse(", or ]" + _of_list(tokens, open_lists), slip=slip)
    tokens.advance()
    return None


def _closed(tokens: Tokens, open_lists: list[tuple[Place, list[Value]]]) -> Value:
    tokens.advance()
    place, items = open_lists.pop()
    return Value(place, items=tuple(items))


def _of_list(tokens: Tokens, open_lists: list[tuple[Place, list[Value]]]) -> str:
    """Which list it is, where that is not plain."""
    begun = open_lists[-1][0].line
    return f" of the list that begins in line {begun}" if begun != tokens.now.place.line else ""


def _atom(token: Token) -> Value:
    if token.kind == TEXT:
        return Value(token.place, unquoted(token))
    number = number_of(token.text)
    if number is None:
        text = f"found {shown(token.text)}, expected {NUMBER_FORMS}"
        raise ConfigError.at(token.place, text, hint=sign_hint(token.text))
    return Value(token.place, token.text, number)
