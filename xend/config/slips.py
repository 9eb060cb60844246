"""Hints at what somebody meant who wrote something else than xl.cfg(5), told by the sign out of its place.

People copy lines out of web pages, and write as in the other languages that they know.
"""

import re
import unicodedata

__all__ = [
    "ASSIGNMENT",
    "BOOLEANS",
    "COMMENTS",
    "COMMENT_SIGNS",
    "FOREIGN",
    "NO_COMMA",
    "TEMPLATE",
    "TEMPLATE_PLACE",
    "VALUE_SLIPS",
    "YES_OR_NO",
    "name_hint",
    "sign_hint",
    "word_hint",
]

ASSIGNMENT = "an assignment is NAME = VALUE"
#: Of two items of a list, which Python would join.
NO_COMMA = "a comma is missing before it"
_QUOTES = "texts stand in quotes"
_LOOKALIKES = "“”„‟‘’‚‛«»`´"

#: What begins a text that is another language altogether.
FOREIGN = {
    "<": "this looks like XML; of libvirt's, virsh domxml-to-native xen-xl makes a configuration",
    "(": f"this looks like an S-expression of the old xend's; {ASSIGNMENT}",
    "{": f"this looks like JSON; {ASSIGNMENT}",
}
#: Of what other languages have comments begin with.
COMMENTS = "comments begin with #"
COMMENT_SIGNS = ("//", "/*", "--")
#: Signs that begin no value in Python either: what stands there was to be a text.
VALUE_SLIPS = ("/", "@")
#: A place of a template that something was to be put into, or what begins it.
TEMPLATE_PLACE = re.compile(r"\{\{|\{%|<%|\$\{|@\w{1,40}@|%\w{1,40}%|<[\w -]{1,40}>")
TEMPLATE = "this looks like a template that nobody has filled in: nothing is put in place of names here"
_SIGNS = {
    "=": ASSIGNMENT,
    ">": ASSIGNMENT,
    ":": ASSIGNMENT,
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


def name_hint(found: str) -> str | None:
    """About what stands where an option's name, or what follows it, was expected, and is no program."""
    if found[:1] in ("'", '"'):
        return f"names stand without quotes: {ASSIGNMENT}"
    if found == "[":
        return f"there are no sections: {ASSIGNMENT}"
    if found == "-":
        return f"names have no -, but _: {ASSIGNMENT}"
    return ASSIGNMENT if found == ":" else None


def word_hint(word: str) -> str:
    """About a word that stands where a value was expected."""
    return YES_OR_NO if word.lower() in BOOLEANS else _QUOTES
