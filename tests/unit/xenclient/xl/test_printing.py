"""What xl prints on a terminal: nothing in it that the terminal would obey."""

import pytest

from xenclient.cli.xl.printing import clean, printable


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "\x9b31m", "\u202e", "\u2028", "\x00\x07\x08\x7f", "\r", "\ufeff"]
)
def test_others_text_is_not_obeyed(text: str) -> None:
    for cleaned in (printable(f"a{text}b"), clean(f"a{text}b")):
        assert cleaned.isprintable()
        assert cleaned[0] + cleaned[-1] == "ab"


def test_a_tables_lines_and_tabs_stay() -> None:
    assert clean("Name\tID\nguest\t5\n") == "Name\tID\nguest\t5\n"


def test_a_line_is_one() -> None:
    assert printable("a\nb\tc") == "a?b       c"


def test_bytes_that_are_no_text_go_out_as_they_came_in() -> None:
    assert clean("\udcff") == printable("\udcff") == "\udcff"
