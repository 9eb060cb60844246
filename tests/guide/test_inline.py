"""Commands of xl that the documents name in passing: each has its options, and as many arguments."""

import re
import shlex
from contextlib import suppress
from pathlib import Path

import pytest

from xenclient.cli.xl.parsing import HelpWanted, parse
from xenclient.cli.xl.settings import take_settings
from xenclient.cli.xl.table import find

TOP = Path(__file__).parents[2]
DOCUMENTS = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]
SPAN = re.compile(r"`(x[lm] [^`\n]+)`")
#: What stands for something else, or leaves it open.
OPEN = re.compile(r"\.\.\.|[<>|]|\bDOM\b$")


def spans() -> list[str]:
    """Whole commands: more than a name, and nothing left open."""
    found = {span for document in DOCUMENTS for span in SPAN.findall(document.read_text())}
    return sorted(span for span in found if len(span.split()) > 2 and not OPEN.search(span))


@pytest.mark.parametrize("span", spans())
def test_a_command_named_in_passing(span: str) -> None:
    settings, words = take_settings([word.encode() for word in shlex.split(span)])
    row = find(words[0].decode())
    with suppress(HelpWanted):
        parse(row.name, row.command(), words[1:], settings)
