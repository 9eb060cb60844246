"""A line that cannot be read does not hide what is wrong with the others, as far as that is certain."""

import pytest

from tests.unit.xend.config.conftest import complaint
from xend.config.domain import parse
from xend.config.problem import ConfigError

KERNEL = "kernel = '/k'\n"

#: A text, and the lines that are told of.
CASES = [
    (KERNEL + "memory = 1G\nvcpus = 'x'\nfrob = 1\n", [2, 3]),
    (KERNEL + "vcpus = 'x'\nextra = “a”\n", [2, 3]),
    (KERNEL + "extra = “a”\ndisk = [ 'phy:/a,frob,w' ]\nvif = [ 'mac=1' ]\nuuid = 'x'\n", [2, 3, 4, 5]),
    # The kernel may stand in the line that could not be read; so may a disk.
    ("kernel = /k\nvcpus = 0\n", [1, 2]),
    (KERNEL + "on_crash = Destroy\non_reboot = 'x'\n", [2, 3]),
    # How much is too little is said by the other line.
    (KERNEL + "memory = 64M\nmaxmem = 64\n", [2]),
    (KERNEL + "vcpus = four\ncap = 300\nmaxvcpus = 2\ncpu_weight = 70000\n", [2, 5]),
    # What is a problem for one type is none for another.
    (KERNEL + "type = pvh\npci = [ 'x' ]\nvcpus = 'x'\n", [2]),
    ("def f():\n    return 1\nvcpus = 'x'\n", [1]),
]


@pytest.mark.parametrize(("text", "lines"), CASES)
def test_the_others_are_judged(text: str, lines: list[int]) -> None:
    error = complaint(lambda: parse(text, source="foo", name="foo", directory="/"))
    assert isinstance(error, ConfigError)
    assert [each.place.line for each in error.problems] == lines


def test_words_of_a_command_line_and_the_file() -> None:
    error = complaint(lambda: parse(KERNEL + "vcpus = 'x'\n", source="foo", name="foo", extra=["disk=["]))
    assert isinstance(error, ConfigError)
    assert [each.place.line for each in error.problems] == [2, "disk=["]
