"""xl.cfg(5) says of every option what the table says."""

import re

from contrib.options_page import PAGE, page
from xend.config.options import OPTIONS


def test_what_follows_from_the_table() -> None:
    """Write it anew: python -m contrib.options_page"""
    assert PAGE.read_text() == page()


def test_every_option_that_is_not_read_has_a_reason() -> None:
    assert not [option.name for option in OPTIONS.values() if not option.is_here and not option.lacks]


def test_what_is_read() -> None:
    """Each has an item of its own."""
    items = " ".join(line for line in PAGE.read_text().splitlines() if line.startswith(".It Li"))
    for option in OPTIONS.values():
        assert not option.is_here or re.search(rf"\b{option.name}\b", items), option.name
