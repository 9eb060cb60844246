"""Command-line options as getopt_long(3) of the GNU C library takes them: abbreviations, options after
arguments, `--`, and its words for what it does not know.

The standard library's getopt stops at the first error and speaks otherwise; these programs' interface is
that of Xen's, which go on.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

UNKNOWN = ""


class Options:
    """Iterating yields (letter, value) for each option, ("", b"") for one that is wrong.

    Attributes:
        arguments: after iterating, what is no option.
    """

    def __init__(
        self,
        argv: list[bytes],
        plain: str,
        valued: str,
        names: Mapping[str, str],
        on_error: Callable[[bytes], object],
    ) -> None:
        """Letters without a value, letters with one; `names` maps long options to their letter;
        `on_error` is called with a line without its end for each option that is wrong.
        """
        self.arguments: list[bytes] = []
        self._program = argv[0]
        self._rest = argv[1:]
        self._letters = plain + valued
        self._valued = valued
        self._names = names
        self._on_error = on_error

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        while self._rest:
            word = self._rest.pop(0)
            if word == b"--":
                break
            if word.startswith(b"--"):
                yield self._long(word[2:])
            elif word.startswith(b"-") and word != b"-":
                yield from self._short(word[1:])
            else:
                self.arguments.append(word)
                if "POSIXLY_CORRECT" in os.environ:
                    break
        self.arguments += self._rest

    def _short(self, word: bytes) -> Iterator[tuple[str, bytes]]:
        while word:
            letter, word = chr(word[0]), word[1:]
            if letter not in self._letters:
                yield self._unknown(b"invalid option -- '%c'" % ord(letter))
            elif letter not in self._valued:
                yield letter, b""
            elif word or self._rest:
                yield letter, word or self._rest.pop(0)
                return
            else:
                yield self._unknown(b"option requires an argument -- '%c'" % ord(letter))

    def _long(self, word: bytes) -> tuple[str, bytes]:
        given, equals, value = word.partition(b"=")
        name = given.decode("latin-1")
        found = [name] if name in self._names else [known for known in self._names if known.startswith(name)]
        if not found:
            return self._unknown(b"unrecognized option '--%s'" % given)
        if len({self._names[known] for known in found}) > 1:
            choice = "".join(f" '--{known}'" for known in found)
            return self._unknown(b"option '--%s' is ambiguous; possibilities:%s" % (given, choice.encode()))
        letter = self._names[found[0]]
        if letter in self._valued:
            if not equals and not self._rest:
                return self._unknown(b"option '--%s' requires an argument" % found[0].encode())
            return letter, value if equals else self._rest.pop(0)
        if equals:
            return self._unknown(b"option '--%s' doesn't allow an argument" % found[0].encode())
        return letter, b""

    def _unknown(self, text: bytes) -> tuple[str, bytes]:
        self._on_error(self._program + b": " + text)
        return UNKNOWN, b""


def atoi(text: bytes) -> int:
    """As the C library's: leading blanks, a sign and digits count, what follows does not; 32 bits wide."""
    text = text.lstrip(b" \t\n\v\f\r")
    sign = text[:1] if text[:1] in (b"+", b"-") else b""
    digits = text[len(sign) :]
    digits = digits[: len(digits) - len(digits.lstrip(b"0123456789"))]
    number = min(max(int(sign + (digits or b"0")), -(2**63)), 2**63 - 1)
    return (number + 2**31) % 2**32 - 2**31
