"""Files of xm that compute: what they come to, what is refused, and that neither takes long."""

import random
from contextlib import suppress

import pytest

from tests.unit.xend.config.conftest import complaint
from xend.config.computing import NAMES_HINT
from xend.config.domain import parse
from xend.config.problem import ConfigError

HINT = "this file is read, never executed: write the value that this would compute"

#: One value, and what it comes to.
COMPUTED = [
    ("64 * 2", 128), ("1024 / 3", 341), ("-7 // 2", -4), ("7 % 4", 3), ("2 ** 10", 1024), ("(1 + 2) * 3", 9),
    ("1 << 4 | 1", 17), ("0x10 + 1", 17), ("-5", -5), ("+5 - 0", 5), ("~0", -1), ("1.5 * 2", 3),
    ("'a' + 'b'", "ab"), ("'a' 'b'", "ab"), ("'-' * 3", "---"), ("'%s-%02d' % ('web', 3)", "web-03"),
    ("'%d%%' % 5", "5%"), ("'%x' % 255", "ff"), ("'vm' + str(3)", "vm3"), ("'abc'[1]", "b"),
    ("'abc'[1:]", "bc"), ("'a,b'.split(',')", ["a", "b"]), ("','.join(['a', 'b'])", "a,b"),
    ("'A'.lower() + 'b'.upper()", "aB"), ("' a '.strip() + ''", "a"), ("'a-b'.replace('-', '_')", "a_b"),
    ("['a'] + ['b']", ["a", "b"]), ("['a'] * 2", ["a", "a"]), ("('a', 'b')", ["a", "b"]),
    ("['x%d' % n for n in range(3)]", ["x0", "x1", "x2"]), ("[a for a in ['b', 'c'] if a != 'b']", ["c"]),
    ("range(2, 4)", [2, 3]), ("xrange(2)", [0, 1]), ("len('abc') + int('7')", 10), ("max(1, 2)", 2),
    ("sorted(['b', 'a'])", ["a", "b"]), ("hex(255)", "0xff"), ("'a' if 1 > 2 else 'b'", "b"),
    ("1 < 2 < 3", 1), ("not 1", 0), ("0 or 'x'", "x"), ("1 and 'x'", "x"), ("'a' in ['a']", 1),
    ("f'{1 + 1}x'", "2x"), ("True", 1), ("'''a'''", "a"), ("r'a\\b'", "a\\b"),
    ("['a', 1, [2]]", ["a", 1, [2]]),
]  # fmt: skip


def given(text: str) -> dict[str, object]:
    """What is assigned, kernel and name aside."""
    read = parse("kernel = '/netbsd'\n" + text, source="foo", name="foo", directory="/")
    return {name: value for name, value in read.given.items() if name != "kernel"}


@pytest.mark.parametrize(("expression", "expected"), COMPUTED)
def test_an_expression(expression: str, expected: object) -> None:
    assert given(f"x = {expression}\nfrob = [x + x, x][1:]\n") == {"frob": [expected]}


PROGRAMS = {
    "names": ("vmid = 3\nextra = 'vm%d' % vmid\n", {"extra": "vm3"}),
    "names in upper case": ("DISK = '/dev/vg/'\nextra = DISK + 'a'\n", {"extra": "/dev/vg/a"}),
    "the last assignment counts": ("extra = 'a' + 'b'\nextra = 'c'\n", {"extra": "c"}),
    "adding": ("extra = 'a'\nextra += 'b' + 'c'\ncap = 7\ncap -= 1\n", {"extra": "abc", "cap": 6}),
    "two at once": ("a, b = 'x', 2\nextra = a * b\n", {"extra": "xx"}),
    "one value for two": ("vcpus = maxvcpus = 1 + 1\n", {"vcpus": 2, "maxvcpus": 2}),
    "if": ("if 1 + 1 == 2:\n    extra = 'y'\nelif 1: extra = 'z'\nelse:\n    extra = 'n'\n",
           {"extra": "y"}),
    "for": ("vif = []\nfor n in range(2):\n    vif.append('mtu=50%d' % n)\nvif.extend([''])\n",
            {"vif": ["mtu=500", "mtu=501", ""]}),
    "a docstring": ("'''what\nit is'''\ncap = 1 + 1\n", {"cap": 2}),
    "none": ("cap = None\nextra = 'a' + ''\n", {"extra": "a"}),
    "bytes that are no UTF-8": ("# \udce9\nextra = '\udce9' + 'a'\n", {"extra": "\udce9a"}),
    "a name that nobody knows": ("memmory = 2 * 2\n", {"memmory": 4}),
    "texts side by side": ("extra = ('a'\n  'b')\nmemory = (64)\n", {"extra": "ab", "memory": 64}),
    "a name of nobody's in upper case": ("OVM_x = 'a'\ncap = 1 + 1\nVERSION = 1.5\n",
                                         {"OVM_x": "a", "cap": 2}),
    "an option's name in upper case": ("CAP = 4\ncap = 1 + CAP\nMEMORY = 9\nmemory = 64\n",
                                       {"cap": 5, "MEMORY": 9, "memory": 64}),
    "a copy is a copy": ("a = ['x']\nfrob = a\na.append('y')\n", {"frob": ["x"]}),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program(name: str) -> None:
    text, expected = PROGRAMS[name]
    assert given(text) == expected


REFUSED = [
    ("import socket\ncap = 1 + 1\n", 2, "import"),
    ("from os import uname\ncap = 1 + 1\n", 2, "import"),
    ("def f(x):\n    return x\ncap = f(1)\n", 2, "def"),
    ("class A: pass\n", 2, "class"),
    ("\nwhile 1:\n    pass\n", 3, "while"),
    ("try:\n    cap = 1\nexcept: pass\n", 2, "try"),
    ("del cap\n", 2, "del"),
    ("cap = 1 + nowhere\n", 2, 'the name "nowhere", which has no value'),
    ("cap = 1 + open('/etc/passwd').read()\n", 2, "a call of open"),
    ("cap = ''.__class__ + 1\n", 2, "a name with a dot"),
    ("cap = 1 + (lambda: 1)()\n", 2, "a call of lambda: 1"),
    ("cap = 1 + {}\n", 2, "a dictionary"),
    ("cap = 1 + b''\n", 2, "a bytes"),
    ("cap = 1 / 0\n", 2, "1 / 0 (integer division or modulo by zero)"),
    ("cap = 1 + 'a'\n", 2, "1 + 'a' (unsupported operand type(s) for +: 'int' and 'str')"),
    ("cap = 'a' % 3\n", 2, "'a' % 3 (not all arguments converted during string formatting)"),
    ("cap = [1][5 - 0]\n", 2, "[1][5 - 0] (list index out of range)"),
    ("cap = int('x' + 'y')\n", 2, "int('x' + 'y') (invalid literal for int() with base 10: 'xy')"),
    ("cap = 10 ** 10 ** 10\n", 2, "10 ** 10 ** 10 (a number too large)"),
    ("cap = 2 ** 63 * 2 * 2\n", 2, "a value that is too large"),
    ("cap = (-1) ** 0.5\n", 2, "a complex"),
    ("cap = 'x' * 10 ** 9\n", 2, "'x' * 10 ** 9 (a number too large)"),
    ("cap = [1] * 10 ** 8\n", 2, "[1] * 10 ** 8 (a number too large)"),
    ("cap = range(10 ** 8)\n", 2, "range(10 ** 8) (a number too large)"),
    ("cap = '%99999999d' % 1\n", 2, "a width that is too large"),
    ("cap = '%*d' % (9, 1)\n", 2, "a width that is too large"),
    ("cap = f'{1:9999999}'\n", 2, "a format in a text"),
    ("cap = '{0.x}'.format(1)\n", 2, "a call of '{0.x}'.format"),
    ("cap = 'x'.join(sep='a')\n", 2, "a call of 'x'.join with names"),
    ("a = [1]\nfor i in range(60):\n    a = [a, a]\n", 4, "more to compute than a configuration has"),
    ("for i in range(9999):\n    for j in range(9999):\n        cap = i\n", 4, "more to compute than a"),
    ("a = []\na.append(a)\n", 3, "more to compute than a configuration has"),
    ("s = 'x' * 1000000\ncap = [s] * 2\n", 3, "a value that is too large"),
    ("a, b = [1 + 0]\n", 2, "1 values for 2 names"),
    ("a.b = 1 + 1\n", 2, "a.b before ="),
    ("cap[0] += 1\n", 2, "an assignment to a part"),
    ("print('hello')\n", 2, "a call of print"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "found"), REFUSED)
def test_what_is_refused(text: str, line: int, found: str) -> None:
    """With its line and a hint, and once: what follows from it is not told again."""
    error = complaint(lambda: given(text))
    assert error.code == "bad_config"
    assert error.message.startswith(f"foo:{line}: found {found}"), error.message
    assert ", expected " in error.message
    assert error.fields["hint"] in (HINT, NAMES_HINT)
    assert len(error.fields["problems"]) == 1


def test_xens_own_example_of_old() -> None:
    """As Xen 4.1 shipped it for HVM domains: the line that asks the host is told, not what follows."""
    text = (
        "import os, re\narch = os.uname()[4]\nif re.search('64', arch):\n    arch_libdir = 'lib64'\n"
        "else:\n    arch_libdir = 'lib'\nkernel = 'hvmloader'\nbuilder = 'hvm'\n"
        "device_model = '/usr/' + arch_libdir + '/xen/bin/qemu-dm'\nmemory = 128 * 2\n"
    )
    error = complaint(lambda: parse(text, source="foo", name="foo", directory="/"))
    assert [(each["line"], each["message"].partition(",")[0]) for each in error.fields["problems"]] == [
        (1, "foo:1: found import")
    ]
    assert "take out the import, what uses it, and device_model" in error.fields["hint"]
    mended = text.replace("import os, re\narch = os.uname()[4]\n", "arch = 'x86_64'\n")
    mended = mended.replace("re.search('64', arch)", "'64' in arch")
    read = parse(mended, source="foo", name="foo", directory="/")
    assert (read.type, read.kernel) == ("hvm", None)
    device_model, kernel = read.warnings
    assert "it was an option of xm's" in device_model.message
    assert "kernel names hvmloader, with which each hvm domain begins" in kernel.message


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("memory = x\n", 'found "x", expected a text in quotes, a number or a list in brackets'),
        ("disk = [ 'a,raw,xvda' 'b,raw,xvdb' ]\n", "found \"'b,raw,xvdb'\", expected , or ]"),
        ("on_crash = destroy\n", 'found "destroy", expected a text in quotes'),
        ("memory: 512\n", 'found ":", expected = or += after "memory"'),
        ("memory\n", 'found the end of the line, expected = or += after "memory"'),
        ("memory == 512\n", 'found "=", expected a text in quotes'),
        ("memory = 512M\n", 'found "512M", expected a number'),
        ("cap = 5 +\n", 'found "+", expected the end of the line'),
        ("if 1:\nmemory = 5\n", 'found "if", expected an option\'s name'),
        ("cap = " + "(" * 5000 + "1" + ")" * 5000 + "\n", 'found "(", expected a text in quotes'),
        ("cap = " + "-" * 5000 + "1\n", 'found "-", expected a text in quotes'),
        ("cap = 1" + " + 1" * 5000 + "\n", 'found "+", expected the end of the line'),
        ("cap = " + "not " * 5000 + "1\n", 'found "not", expected a text in quotes'),
        ("cap = a" + ".a" * 5000 + " + 1\n", 'found "+", expected'),
        ("#" * 70_000 + "\ncap = 1 + 1\n", 'found "+", expected the end of the line'),
    ],
)
def test_what_is_no_program_is_told_as_the_grammar_does(text: str, found: str) -> None:
    message = complaint(lambda: given(text)).message
    assert found in message or 'found "a.a' in message


EXAMPLE = "".join(text for text, _ in PROGRAMS.values())
PIECES = [
    *(expression for expression, _ in COMPUTED), *(text for text, _, _ in REFUSED), "\n", "\n    ", "x = ",
    "for ", "if ", "(", ")", "[", "]", "%", "**", "*", "'", '"', "\\", "0", "9" * 40, ":", ".", ",", "=",
    "\udcff", "\x00",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [300, pytest.param(100_000, marks=pytest.mark.long)])
def test_malformed_programs_end_with_an_error_of_ours(rounds: int) -> None:
    source = random.Random(7)
    for _ in range(rounds):
        damaged = list(EXAMPLE)
        for _ in range(source.randrange(1, 4)):
            damaged[source.randrange(len(damaged))] = source.choice(PIECES)
        for text in ("".join(damaged), "x = " + "".join(source.choices(PIECES, k=source.randrange(1, 9)))):
            with suppress(ConfigError):
                given(text)
