"""The tables by themselves; tests/peers/test_layouts.py compares them with the installed headers."""

import pytest

from xend.hypervisor.xen.layouts import RELEASES, Layout, release_of


def test_a_layout_packs_and_unpacks_by_name() -> None:
    layout = Layout("name", "H small", "2s pad", "I large=outer.inner", "4s text")
    data = layout.pack(large=7, text=b"ab")
    assert data == b"\0\0\0\0\7\0\0\0ab\0\0"
    assert layout.unpack(b"x" + data, 1) == {"small": 0, "pad": b"\0\0", "large": 7, "text": b"ab\0\0"}
    assert layout.places() == {"small": (0, 2), "outer.inner": (4, 4), "text": (8, 4)}
    with pytest.raises(AssertionError, match="name has no other"):
        layout.pack(other=1)


@pytest.mark.parametrize(
    ("minor", "numbers", "sizes"),
    [
        (15, (0x13, 0x13), (56, 104, 104)),
        (16, (0x14, 0x14), (60, 112, 104)),
        (17, (0x15, 0x15), (64, 112, 112)),
        (18, (0x16, 0x15), (64, 112, 112)),
        (19, (0x17, 0x15), (68, 112, 112)),
        (20, (0x17, 0x15), (68, 112, 112)),
        (21, (0x17, 0x16), (68, 112, 112)),
        (22, (0x18, 0x16), (68, 112, 112)),
    ],
)
def test_releases(minor: int, numbers: tuple[int, int], sizes: tuple[int, int, int]) -> None:
    """As domain-build.md 6 has them."""
    release = release_of(4, minor)
    assert release is not None
    assert (release.domctl, release.sysctl) == numbers
    assert (release.create.size, release.domain_info_size, release.physinfo.size) == sizes
    assert release.creates_in_pool is (minor >= 17)
    assert release.bounds_grant_version is (minor >= 16)
    assert release.any_domid == (0x7FF5 if minor == 22 else 0)


def test_others_are_not_known() -> None:
    assert release_of(4, 14) is None
    assert release_of(4, 23) is None
    assert release_of(5, 17) is None
    assert [str(release) for release in RELEASES] == [f"4.{minor}" for minor in range(15, 23)]
