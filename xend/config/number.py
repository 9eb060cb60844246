"""Numbers as xl.cfg(5) writes them."""

import re

__all__ = ["NUMBER_FORMS", "number_of"]

#: For error messages.
NUMBER_FORMS = "a number (decimal, octal after 0, or hexadecimal after 0x)"

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|0[0-7]{0,22}|[1-9][0-9]{0,18}")
_MAX = 2**63 - 1


def number_of(text: str) -> int | None:
    """The number that a text is: "10", "012" and "0xa" are the same.

    None: it is no number, or one of more than 63 bits.
    """
    if not _NUMBER.fullmatch(text):
        return None
    digits, base = (text[2:], 16) if text[:2] in ("0x", "0X") else (text, 8 if text[0] == "0" else 10)
    number = int(digits, base)
    return number if number <= _MAX else None
