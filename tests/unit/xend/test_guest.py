"""The module for Xen's libraries, where it was built, without a Xen."""

import os
from typing import Any

import pytest

if not os.environ.get("XEND_REQUIRE_XEN"):
    pytest.importorskip("xend._guest")

from xend import _guest

BAD: list[Any] = [None, 0, "", b"", object()]


def test_its_release() -> None:
    major, minor = map(int, _guest.RELEASE.split("."))
    assert (4, 15) <= (major, minor) <= (4, 22)


def test_no_xen_is_an_error_and_no_crash() -> None:
    if any(os.path.exists(path) for path in ("/dev/xen/privcmd", "/proc/xen/privcmd", "/kern/xen/privcmd")):
        pytest.skip("there is a Xen")
    for _ in range(3):
        with pytest.raises(OSError, match="xc_interface_open"):
            _guest.Handle()


@pytest.mark.parametrize("handle", BAD)
def test_no_image_without_a_handle(handle: Any) -> None:
    with pytest.raises(TypeError):
        _guest.Image(handle, 5, b"", False, 1)


def test_nothing_of_it_can_be_made_unopened() -> None:
    """Methods would get a NULL handle, at which libxenctrl crashes."""
    for kind in (_guest.Handle, _guest.Image):
        with pytest.raises((TypeError, OSError)):
            kind.__new__(kind)
