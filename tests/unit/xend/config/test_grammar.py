"""The grammar: what is read, where it stands, and what is said where it cannot be."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.xend.config.conftest import HOWTO, complaint
from xend.config.domain import parse
from xend.config.grammar import MAX_DEPTH, parse_assignments, parse_words
from xend.config.text import MAX_TEXT_BYTES
from xend.config.tokens import MAX_WORDS
from xend.errors import XendError

PYTHON = (
    "xm's files were Python programs; this file is read, never executed: "
    "write the value that it would compute"
)
A_VALUE = "a text in quotes, a number or a list in brackets"
A_NUMBER = "a number (decimal, octal after 0, or hexadecimal after 0x)"
AN_ESCAPE = (
    r"""one of \a \b \f \n \r \t \v \\ \' \", \ and up to three octal digits to \377, """
    r"or \x and two hexadecimal digits"
)
THE_END = "the end of the line or ; after the value"
NO_QUOTE = "found a text without its closing quote, expected that on the same line"

GOOD = [
    ("", []),
    ("# nothing but a comment", []),
    ("\n;;\n ; \n", []),
    ("a = 'x'", [("a", "x", 1, False)]),
    ('a="x"', [("a", "x", 1, False)]),
    ("a = 'say \"no\"'", [("a", 'say "no"', 1, False)]),
    ("a = '#;=[],'  # and a comment", [("a", "#;=[],", 1, False)]),
    (r"a = 'it\'s'", [("a", "it's", 1, False)]),
    (r'a = "\a\b\f\n\r\t\v\\\'\""', [("a", "\a\b\f\n\r\t\v\\'\"", 1, False)]),
    (r"a = '\x41\x7a\101\60x'", [("a", "AzA0x", 1, False)]),
    (r"a = '\xc3\xa4\303\244'", [("a", "ää", 1, False)]),
    ("a = 'ä€'", [("a", "ä€", 1, False)]),
    ("# caf\udce9\na = 'caf\udce9'", [("a", "caf\udce9", 2, False)]),
    (r"a = '\xff\xc3\xa4'", [("a", "\udcffä", 1, False)]),
    ("a = '\udcc3\\xa4'", [("a", "ä", 1, False)]),
    ("\ufeffa = 1", [("a", 1, 1, False)]),
    ("\ufeff# nothing\r\na = [\r\n1,\r\n]\r\n", [("a", [1], 2, False)]),
    ("a = ''", [("a", "", 1, False)]),
    ("a = 10", [("a", 10, 1, False)]),
    ("a = 0", [("a", 0, 1, False)]),
    ("a = 010", [("a", 8, 1, False)]),
    ("a = 0x1fF", [("a", 0x1FF, 1, False)]),
    ("a = 9223372036854775807", [("a", 2**63 - 1, 1, False)]),
    ("a=1;b=2", [("a", 1, 1, False), ("b", 2, 1, False)]),
    ("a=1\r\n\tb=2", [("a", 1, 1, False), ("b", 2, 2, False)]),
    ("a=1\na += 'x'", [("a", 1, 1, False), ("a", "x", 2, True)]),
    ("a.b_c9 = 1", [("a.b_c9", 1, 1, False)]),
    ("a = []", [("a", [], 1, False)]),
    ("a = ['x', 2]", [("a", ["x", 2], 1, False)]),
    ("a = ['x', 2,]\nb = 3", [("a", ["x", 2], 1, False), ("b", 3, 2, False)]),
    ("a = [\n\n'x' # one\n,\n'y'\n,\n]\nb = 3", [("a", ["x", "y"], 1, False), ("b", 3, 8, False)]),
    ("a = [[1,[2,],[]],3]", [("a", [[1, [2], []], 3], 1, False)]),
]


@pytest.mark.parametrize(("text", "expected"), GOOD)
def test_what_is_read(text: str, expected: list[tuple[str, object, int, bool]]) -> None:
    read = parse_assignments(text, "foo.cfg")
    assert [(each.name, each.value.plain(), each.line, each.append) for each in read] == expected


# Text, line, what is found and expected, whether Python is blamed.
BAD = [
    ("import os", 1, "found \"import\", expected an option's name", True),
    ("\n\ndef f():", 3, "found \"def\", expected an option's name", True),
    ("if x: y", 1, "found \"if\", expected an option's name", True),
    ("print 'x'", 1, "found \"print\", expected an option's name", True),
    ("f(3)", 1, 'found "(", expected = or += after "f"', True),
    ("a = os.uname()[4]", 1, f'found "os.uname", expected {A_VALUE}', True),
    ("a = arch + 'x'", 1, f'found "arch", expected {A_VALUE}', True),
    ("a = True", 1, f'found "True", expected {A_VALUE}', True),
    ("a = {}", 1, f'found "{{", expected {A_VALUE}', True),
    ("a = (1, 2)", 1, f'found "(", expected {A_VALUE}', True),
    ("a = 2*256", 1, f'found "*", expected {THE_END}', True),
    ("a = 'a' + 'b'", 1, f'found "+", expected {THE_END}', True),
    ("a = 'a%d' % 3", 1, f'found "%", expected {THE_END}', True),
    ("a = 'a' \\\n'b'", 1, rf'found "\", expected {THE_END}', True),
    ("a = '''x'''", 1, f"found \"'x'\", expected {THE_END}", True),
    ("a = ['a'\n'b']", 2, "found \"'b'\", expected , or ] of the list that begins in line 1", False),
    ("a = ['a' % b]", 1, 'found "%", expected , or ]', True),
    ("A = 3", 1, "found \"A\", expected an option's name in lower case", False),
    ("= 3", 1, "found \"=\", expected an option's name", False),
    ("]", 1, "found \"]\", expected an option's name", False),
    ("3 = 4", 1, "found \"3\", expected an option's name", False),
    ("a", 1, 'found the end, expected = or += after "a"', False),
    ("a\n= 3", 1, 'found the end of the line, expected = or += after "a"', False),
    ("a 3", 1, 'found "3", expected = or += after "a"', False),
    ("a =\n3", 1, f"found the end of the line, expected {A_VALUE}", False),
    ("a = ;", 1, f'found ";", expected {A_VALUE}', False),
    ("a = -1", 1, f'found "-", expected {A_VALUE}', False),
    ("a = 1 b = 2", 1, f'found "b", expected {THE_END}', False),
    ("a = 1, 2", 1, f'found ",", expected {THE_END}', False),
    ("a = [1 2]", 1, 'found "2", expected , or ]', False),
    ("a = [,]", 1, f'found ",", expected {A_VALUE}, or ]', False),
    ("a = [1,,2]", 1, f'found ",", expected {A_VALUE}, or ]', False),
    ("a = [1;2]", 1, 'found ";", expected , or ]', False),
    ("a = [\n1,\nb = 2", 3, f'found "b", expected {A_VALUE}, or ]'
     " of the list that begins in line 1", False),
    ("a = [\n1", 2, "found the end, expected , or ] of the list that begins in line 1", False),
    ("a = 256MB", 1, f'found "256MB", expected {A_NUMBER}', False),
    ("a = 08", 1, f'found "08", expected {A_NUMBER}', False),
    ("a = 0x", 1, f'found "0x", expected {A_NUMBER}', False),
    ("a = 9223372036854775808", 1,
     f'found "9223372036854775808", expected {A_NUMBER}', False),
    ("a = 'x", 1, NO_QUOTE, False),
    ("a = 'x\n'", 1, NO_QUOTE, False),
    ("a = 'x\\'", 1, NO_QUOTE, False),
    (r"a = '\q'", 1, rf"found \q in a text, expected {AN_ESCAPE}", False),
    (r"a = '\400'", 1, rf"found \400 in a text, expected {AN_ESCAPE}", False),
    (r"a = '\0'", 1, r'''found a NUL in "'\0'", expected a text without''', False),
    ("a = '\0'", 1, "found a NUL, expected a text file", False),
    ("a = 1\n# a\0b\n", 2, "found a NUL, expected a text file", False),
    ("a = \x01", 1, rf'found "\x01", expected {A_VALUE}', False),
    ("a = 1\n\ufeffb = 1", 2, "found \"\\ufeff\", expected an option's name", False),
    ("\udcff\udcfea\0", None, "found UTF-16 or UTF-32, expected UTF-8", False),
    ("\udcfe\udcff\0a", None, "found UTF-16 or UTF-32, expected UTF-8", False),
    ("a\udce9 = 1", 1, 'found "\\xe9", expected = or += after "a"', False),
    ("a = '\ud800'", None, "found what is no UTF-8, expected a configuration", False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "message", "is_python"), BAD)
def test_what_is_refused(text: str, line: int | None, message: str, is_python: bool) -> None:
    error = complaint(lambda: parse_assignments(text, "foo.cfg"))
    assert error.code == "bad_config"
    assert error.message == (f"foo.cfg:{line}: {message}" if line else f"foo.cfg: {message}")
    assert (error.fields.get("hint") == PYTHON) == is_python


def test_all_that_is_no_assignment_is_told() -> None:
    text = "a = \nb = 'x'\nc = [\n  'y',\nd = 3\n  e 4 5 6\nf = 'x\nname = g\nend"
    error = complaint(lambda: parse_assignments(text, "foo.cfg"))
    assert [each["line"] for each in error.fields["problems"]] == [1, 5, 6, 7, 8, 9]
    told = error.fields["problems"][4]
    assert told == {
        "code": "bad_config",
        "message": f'foo.cfg:8: found "g", expected {A_VALUE}',
        "file": "foo.cfg",
        "line": 8,
        "hint": "texts stand in quotes",
    }


def test_a_program_is_told_of_once() -> None:
    error = complaint(lambda: parse_assignments("a = \nimport os\nb = \n", "foo.cfg"))
    assert [each["line"] for each in error.fields["problems"]] == [1, 2]
    assert error.fields["problems"][1]["hint"] == PYTHON


def test_a_word_without_quotes_is_told_about_quotes() -> None:
    error = complaint(lambda: parse_assignments("a = foo", "foo.cfg"))
    assert error.fields["hint"] == "texts stand in quotes"


def test_a_source_with_line_ends_stays_one_line() -> None:
    error = complaint(lambda: parse_assignments("a", "a\nb"))
    assert error.message.startswith("a\\nb:1: ")


def test_lists_nest_so_far() -> None:
    text = "a = " + "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse_assignments(text, "foo.cfg")[0].value.kind == "a list"
    deeper = complaint(lambda: parse_assignments("a = " + "[" * (MAX_DEPTH + 1), "foo.cfg"))
    assert deeper.message == 'foo.cfg:1: found "[", expected lists nested at most 32 deep'


def test_a_text_is_so_long() -> None:
    longest = "#" * MAX_TEXT_BYTES
    assert parse_assignments(longest, "foo.cfg") == []
    error = complaint(lambda: parse_assignments(longest + "#", "foo.cfg"))
    assert error.message == "foo.cfg: found more than 1048576 bytes, expected a configuration"
    error = complaint(lambda: parse_assignments("#" + "ä" * (MAX_TEXT_BYTES // 2), "foo.cfg"))
    assert error.message == "foo.cfg: found more than 1048576 bytes, expected a configuration"


def test_a_text_has_so_many_words() -> None:
    assert parse_assignments("\n" * MAX_WORDS, "foo.cfg") == []
    error = complaint(lambda: parse_assignments("\n" * (MAX_WORDS + 1), "foo.cfg"))
    assert error.message == "foo.cfg:100001: found more than 100000 words, expected a configuration"


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    ["[", "'", "\\", "a=[", "a='x'\n", "a=1;", "'\\", "(", "0", "\n", "a = ['", "# ", "tap:", ","],
)
def test_the_largest_texts_are_read_at_once(unit: str) -> None:
    """None of them makes the parser go over the text again and again: this would take hours."""
    text = unit * (MAX_TEXT_BYTES // len(unit))
    for whole in (text, "disk=" + text[:-5], "extra='" + text[:-7], "disk=['" + text[:-9] + "']"):
        read_or_refuse(whole)
        read_or_refuse("", whole)


def test_many_additions_are_joined_at_once() -> None:
    read = parse("kernel = '/x'\n" + "extra += ''\nvif += []\n" * 10_000, source="foo.cfg", name="foo")
    assert read.given["vif"] == []


# The command line

WORDS = [
    (["memory=256"], [("memory", 256, False)]),
    (["a='x'", 'b="y"', "c=[1]"], [("a", "x", False), ("b", "y", False), ("c", [1], False)]),
    (["a=1;b=2"], [("a", 1, False), ("b", 2, False)]),
    (["kernel=/netbsd"], [("kernel", "/netbsd", False)]),
    (["extra=-v ro"], [("extra", "-v ro", False)]),
    (["name=12x"], [("name", "12x", False)]),
    (["disk=['phy:/a,xvda,w','phy:/b,xvdb,r']"], [("disk", ["phy:/a,xvda,w", "phy:/b,xvdb,r"], False)]),
    (["disk=file:/a,0x0,w"], [("disk", ["file:/a,0x0,w"], False)]),
    (
        ["disk=file:/a,0x0,w", "vif=bridge=xenbr0", "disk=file:/b,0x1,r"],
        [
            ("disk", ["file:/a,0x0,w"], False),
            ("vif", ["bridge=xenbr0"], False),
            ("disk", ["file:/b,0x1,r"], True),
        ],
    ),
    (["disk += ['x']"], [("disk", ["x"], True)]),
    (["extra=caf\udce9"], [("extra", "caf\udce9", False)]),
]


@pytest.mark.parametrize(("words", "expected"), WORDS)
def test_words_of_a_command_line(words: list[str], expected: list[tuple[str, object, bool]]) -> None:
    read = parse_words(words, ("disk", "vif"))
    assert [(each.name, each.value.plain(), each.append) for each in read] == expected
    assert all(each.line in words for each in read)


BAD_WORDS = [
    ("foo", 'command line:foo: found the end, expected = or += after "foo"'),
    ("a=", "command line:a=: found the end, expected a text in quotes, a number or a list in brackets"),
    ("a='x", "command line:a='x: found a text without its closing quote, expected that on the same line"),
    ("/x=1", 'command line:/x=1: found "/", expected an option\'s name'),
    ("a=[\n1", "command line:a=[\\n1: found the end, expected , or ]"),
    ("a=\ud800", "command line:a=\\ud800: found what is no UTF-8, expected a configuration"),
    ("a=x\0", "command line:a=x\\x00: found a NUL, expected a text file"),
]


@pytest.mark.parametrize(("word", "message"), BAD_WORDS)
def test_words_that_are_refused(word: str, message: str) -> None:
    assert complaint(lambda: parse_words([word], ("disk", "vif"))).message == message


# Anything at all

PIECES = [
    "kernel", "memory", "disk", "vif", "name", "extra", "x", "=", "+=", "[", "]", ",", ";", "\n", " ", "#",
    "'", '"', "\\", "0x", "08", "1", "256", "'/netbsd'", "'phy:/a,xvda,w'", "''", "def", "%", "\0", "ä",
    "\ud800", "\udce9", "\x7f", "'mac=00:16:3e:00:00:01'", "'file:,hdc:cdrom,r'", "'rate=1MB/s'", "\\x",
    "target=", "tap:",
]  # fmt: skip


def read_or_refuse(text: str, *words: str) -> bool:
    """Whether it could be read; if not, the reason is one line: nothing else may happen."""
    try:
        parse(text, source="foo.cfg", name="foo", extra=words)
    except XendError as error:
        refusal = error
    else:
        return True
    assert refusal.code in ("bad_config", "unsupported")
    assert str(refusal).isprintable()
    assert len(str(refusal)) < 700
    return False


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [500, pytest.param(200_000, marks=pytest.mark.long)])
def test_malformed_texts_end_with_an_error_of_ours(rounds: int) -> None:
    """Four a round: half put together from pieces, half the HOWTO's example with some of it changed."""
    source = random.Random(6)
    read = 0
    for _ in range(rounds):
        pieces = "".join(source.choices(PIECES, k=source.randrange(1, 30)))
        read += read_or_refuse(pieces) + read_or_refuse("", pieces)
        damaged = list(HOWTO)
        for _ in range(source.randrange(1, 4)):
            damaged[source.randrange(len(damaged))] = source.choice(PIECES)
        read += read_or_refuse("".join(damaged)) + read_or_refuse("", "".join(damaged))
    assert 0 < read < 2 * rounds


@given(st.text())
def test_any_text(text: str) -> None:
    read_or_refuse(text)
    read_or_refuse("", text)


VALUES = st.recursive(
    st.integers(0, 2**63 - 1) | st.text(st.characters(exclude_characters="\0", codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=20,
)


def written(value: object) -> str:
    """A value in the grammar."""
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    if isinstance(value, int):
        return hex(value)
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


@given(st.lists(VALUES, max_size=5))
def test_what_was_written_is_read(values: list[object]) -> None:
    text = "\n".join(f"a = {written(value)}" for value in values)
    assert [each.value.plain() for each in parse_assignments(text, "foo.cfg")] == values
