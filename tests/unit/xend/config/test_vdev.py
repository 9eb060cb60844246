"""Virtual disks' names and numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xend.config.vdev import vdev_name, vdev_number

# Name, number, and the name that the number has again.
NUMBERS = [
    ("xvda", 51712, "xvda"),
    ("xvda1", 51713, "xvda1"),
    ("xvdb", 51728, "xvdb"),
    ("xvdp15", 51967, "xvdp15"),
    ("xvda16", 1 << 28 | 16, "xvda16"),
    ("xvda255", 1 << 28 | 255, "xvda255"),
    ("xvdq", 1 << 28 | 16 << 8, "xvdq"),
    ("xvdz", 1 << 28 | 25 << 8, "xvdz"),
    ("xvdaa", 1 << 28 | 26 << 8, "xvdaa"),
    ("xvdba3", 1 << 28 | 52 << 8 | 3, "xvdba3"),
    ("d0p0", 51712, "xvda"),
    ("d3p7", 202 << 8 | 3 << 4 | 7, "xvdd7"),
    ("d26p0", 1 << 28 | 26 << 8, "xvdaa"),
    ("d1048575p255", (1 << 29) - 1, "xvdbgqcv255"),
    ("sda", 2048, "sda"),
    ("sda15", 2063, "sda15"),
    ("sdp", 2048 + 240, "sdp"),
    ("sdq", 65 << 8, "sdq"),
    ("sdiv15", 135 << 8 | 255, "sdiv15"),
    ("hda", 768, "hda"),
    ("hda1", 0x301, "hda1"),
    ("hdb", 832, "hdb"),
    ("hdc", 5632, "hdc"),
    ("hdd63", 22 << 8 | 127, "hdd63"),
    ("hde", 33 << 8, "hde"),
    ("hdt", 91 << 8 | 64, "hdt"),
    ("0x301", 0x301, "hda1"),
    ("769", 769, "hda1"),
    ("01401", 769, "hda1"),
    ("51712", 51712, "xvda"),
    ("0x0", 0, None),
    ("0x1", 1, None),
    ("0", 0, None),
    ("0x3c0", 0x3C0, None),  # a third disk of an IDE controller
    ("0x10000000", 1 << 28, None),  # xvda, but xvda has another number
    ("0x1fffffff", (1 << 29) - 1, "xvdbgqcv255"),
]


@pytest.mark.parametrize(("vdev", "number", "name"), NUMBERS)
def test_numbers(vdev: str, number: int, name: str | None) -> None:
    assert vdev_number(vdev) == number
    assert vdev_name(number) == name


@pytest.mark.parametrize(
    "vdev",
    ["", "xvd", "xvdA", "xvda0", "xvda01", "xvda256", "xvdbgqcw", "xvdzzzzzz", "xvda1p1", "d0", "dp",
     "d1048576p0", "d00p0", "d0p01", "d0p256", "sda16", "sdiw", "sd1", "hda64", "hdu", "hd", "vda", "wd0",
     "08", "0x", "-1", "0x20000000",
     "1x", " xvda", "xvda ", "/dev/xvda", "xvd\u0431", "xvda\u0661", "\u0661"],
)  # fmt: skip
def test_what_is_no_vdev(vdev: str) -> None:
    assert vdev_number(vdev) is None


@given(st.integers(0, (1 << 29) - 1) | st.integers(0, (1 << 16) - 1))
def test_a_name_is_its_numbers(number: int) -> None:
    name = vdev_name(number)
    assert name is None or vdev_number(name) == number


@pytest.mark.parametrize("prefix", ["xvd", "sd", "hd"])
def test_all_names_come_back(prefix: str) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    for disk in [*letters, *(a + b for a in letters for b in letters)]:
        for partition in ("", "1", "15", "63", "255"):
            number = vdev_number(f"{prefix}{disk}{partition}")
            assert number is None or vdev_name(number) == f"{prefix}{disk}{partition}"
