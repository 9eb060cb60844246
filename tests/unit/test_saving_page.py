"""docs/saving.md: each row of what happens when something dies names a test that there is."""

import re
from pathlib import Path

TOP = Path(__file__).parents[2]
ROW = re.compile(r"^\| .* \| `(tests/[\w/]+\.py)::(test_\w+)`[^|]*\|$")


def test_each_row_has_its_test() -> None:
    text = (TOP / "docs/saving.md").read_text()
    table = text.partition("| what | when |")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(table) >= 15
    for line in table:
        row = ROW.match(line)
        assert row, line
        assert re.search(rf"^(async )?def {row[2]}\(", (TOP / row[1]).read_text(), re.MULTILINE), line
