"""Hints at what somebody meant who wrote something else than xl.cfg(5), told by the sign out of its place.

People copy lines out of web pages, and write as in the other languages that they know.
"""

import re
import unicodedata

__all__ = [
    "BOOLEANS",
    "COMMENTS",
    "COMMENT_SIGNS",
    "FOREIGN",
    "TEMPLATE",
    "TEMPLATE_SIGNS",
    "VALUE_SLIPS",
    "YES_OR_NO",
    "sign_hint",
    "word_hint",
]

_ASSIGNMENT = "an assignment is NAME = VALUE"
_QUOTES = "texts stand in quotes"
_LOOKALIKES = "“”„‟‘’‚‛«»`´"

#: What begins a text that is another language altogether.
FOREIGN = {
    "<": "this looks like XML; of libvirt's, virsh domxml-to-native xen-xl makes a configuration",
    "(": f"this looks like an S-expression of the old xend's; {_ASSIGNMENT}",
    "{": f"this looks like JSON; {_ASSIGNMENT}",
}
#: Of what other languages have comments begin with.
COMMENTS = "comments begin with #"
COMMENT_SIGNS = ("//", "/*", "--")
#: Signs that begin no value in Python either: what stands there was to be a text.
VALUE_SLIPS = ("/", "@")
#: What begins a place of a template that something was to be put into.
TEMPLATE_SIGNS = ("{{", "{%", "<%", "${")
TEMPLATE = "this looks like a template that nobody has filled in: nothing is put in place of names here"
_SIGNS = {
    "=": _ASSIGNMENT,
    ">": _ASSIGNMENT,
    ":": _ASSIGNMENT,
    "$": TEMPLATE,
    "/": _QUOTES,
    "~": _QUOTES,
    "@": _QUOTES,
}
_SIZE = re.compile(r"[0-9]+[kmgt](i?b)?", re.IGNORECASE)
#: Words of other languages.
BOOLEANS = ("true", "false", "yes", "no")
YES_OR_NO = "1 means yes, and 0 no"


def sign_hint(found: str) -> str | None:
    """About one sign, or a number, that is not in its place; None: nothing is known."""
    if found in _SIGNS:
        return _SIGNS[found]
    if len(found) == 1 and found in _LOOKALIKES:
        return "quotes are ' and \"; this sign only looks like one, as in text of web pages and of mail"
    if len(found) == 1 and unicodedata.category(found) in ("Zs", "Cf"):
        return "it looks like a blank, or like nothing, and is none: type it anew"
    if _SIZE.fullmatch(found):
        return "sizes are numbers of MiB, without a unit: 1024 is 1 GiB"
    return None


def word_hint(word: str) -> str:
    """About a word that stands where a value was expected."""
    return YES_OR_NO if word.lower() in BOOLEANS else _QUOTES
