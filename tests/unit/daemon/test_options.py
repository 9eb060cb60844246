"""The table of options, read as getopt_long(3) does and as argparse does."""

from typing import Any

import pytest

from xenstore.daemon.argparse_table import ArgparseTable
from xenstore.daemon.getopt_table import GetoptTable
from xenstore.daemon.options import Option, UsageError, path


def even(text: str) -> int:
    if not text.isdigit() or int(text) % 2:
        raise ValueError(f"{text!r} is not even")
    return int(text)


OPTIONS = (
    Option("-f --foreground", "", "stay"),
    Option("--no-journal", "", "record nothing", sets="journal", constant=False),
    Option("-n --number", "<nb>", "an even one", even, default=2, variable="NUMBER"),
    Option("-p --pid-file", "FILE", "its id", path),
    Option("--colour", "", "of the light", choices=("red", "green"), default="red"),
    Option("-d --debug", "", "nothing", no_effect="there is nothing to find"),
    Option("", sets="failpoint", variable="FAILPOINT"),
)
GETOPT = GetoptTable("lamp", OPTIONS, help_column=30, separator="=", epilogue="\nThat is all.")
ARGPARSE = ArgparseTable("lamp", OPTIONS, description="Gives light.")
DEFAULTS = {
    "foreground": False,
    "journal": True,
    "number": 2,
    "pid_file": None,
    "colour": "red",
    "failpoint": None,
}


@pytest.mark.parametrize("table", [GETOPT, ARGPARSE], ids=["getopt", "argparse"])
@pytest.mark.parametrize(
    ("line", "environment", "expected"),
    [
        ("", {}, {}),
        ("-f --no-journal", {}, {"foreground": True, "journal": False}),
        ("-n 4", {}, {"number": 4}),
        ("-n4 --fore", {}, {"number": 4, "foreground": True}),
        ("--number=6", {"NUMBER": "8"}, {"number": 6}),
        ("", {"NUMBER": "8", "FAILPOINT": "x"}, {"number": 8, "failpoint": "x"}),
        ("", {"NUMBER": "", "FAILPOINT": ""}, {}),
        ("-p /a/../b --colour green", {}, {"pid_file": "/b", "colour": "green"}),
        ("-d --debug", {}, {}),
    ],
)
def test_what_is_accepted(
    table: GetoptTable | ArgparseTable, line: str, environment: dict[str, str], expected: dict[str, Any]
) -> None:
    assert table.parse(line.split(), environment) == DEFAULTS | expected


@pytest.mark.parametrize(
    ("line", "by_getopt", "by_argparse"),
    [
        ("-n 3", "-n 3: '3' is not even", "argument -n/--number: '3' is not even"),
        (
            "--number",
            "option --number requires argument; see --help",
            "argument -n/--number: expected one argument",
        ),
        ("--pid-file=--", None, "argument -p/--pid-file: expected one argument"),
        ("--colour blue", "--colour blue: expected red, green", "argument --colour: invalid choice: 'blue' "),
        ("--loud", "option --loud not recognized; see --help", "unrecognized arguments: --loud"),
        ("more", "unexpected argument 'more'; see --help", "unrecognized arguments: more"),
    ],
)
def test_what_is_refused(line: str, by_getopt: str | None, by_argparse: str) -> None:
    for table, complaint in ((GETOPT, by_getopt), (ARGPARSE, by_argparse)):
        if complaint is not None:
            with pytest.raises(UsageError) as refused:
                table.parse(line.split(), {})
            assert str(refused.value).startswith(complaint)


@pytest.mark.parametrize("table", [GETOPT, ARGPARSE], ids=["getopt", "argparse"])
def test_a_bad_variable_is_named(table: GetoptTable | ArgparseTable) -> None:
    with pytest.raises(UsageError, match=r"^NUMBER=3: '3' is not even$"):
        table.parse([], {"NUMBER": "3"})


def test_options_are_given_again_with_absolute_paths() -> None:
    values, given = GETOPT.parse_given(["-f", "-n", "4", "-p", "/a/../b", "--num", "06", "-d"], {})
    assert [word for each in given for word in each.words] == [
        "-f",
        "-n",
        "4",
        "-p",
        "/b",
        "--number=06",
        "-d",
    ]
    assert values["number"] == 6
    assert [each.option.no_effect for each in given if each.option.no_effect] == ["there is nothing to find"]


def test_repeated_options_share_a_list_in_their_order() -> None:
    options = [Option(f"-{name}", "<nb>", "", int, sets="numbers", is_repeated=True) for name in "ab"]
    table = GetoptTable("lamp", options, help_column=30, separator=" ", epilogue="")
    assert table.parse(["-b", "1", "-a", "2", "-b3"], {}) == {"numbers": [1, 2, 3]}
    assert table.parse([], {}) == {"numbers": []}


def test_the_help() -> None:
    assert GETOPT.usage().splitlines() == [
        "Usage: lamp [options]",
        "",
        "  -f, --foreground            stay",
        "      --no-journal            record nothing",
        "  -n, --number=<nb>           an even one",
        "  -p, --pid-file=FILE         its id",
        "      --colour=red|green      of the light",
        "  -d, --debug                 nothing",
        "",
        "That is all.",
    ]


def test_arguments_known_by_their_places(capsys: pytest.CaptureFixture[str]) -> None:
    options = (
        Option("first", "FIRST", "", even),
        Option("second", "SECOND", "", even, is_optional=True),
        Option("--version", prints="lamp 1"),
    )
    table = ArgparseTable("lamp", options, description="")
    assert table.parse(["2", "4"], {}) == {"first": 2, "second": 4}
    assert table.parse(["2"], {}) == {"first": 2, "second": None}
    with pytest.raises(UsageError, match="the following arguments are required: FIRST"):
        table.parse([], {})
    with pytest.raises(SystemExit):
        table.parse(["--version"], {})
    assert capsys.readouterr().out == "lamp 1\n"
