"""What a host can run, from what its hypervisor says of it."""

from pathlib import Path

import attrs
import pytest

from xend.config import DomainConfig
from xend.domain.capabilities import check_host
from xend.errors import XendError
from xend.simulator.description import Hardware, host_info
from xend.simulator.image import KERNEL

KERNEL_32 = KERNEL[:4] + b"\1" + KERNEL[5:]


@pytest.mark.parametrize(
    ("kernel", "guest", "caps", "is_run"),
    [
        (KERNEL_32, "pv", "xen-3.0-x86_64 xen-3.0-x86_32p ", True),
        (KERNEL_32, "pv", "xen-3.0-x86_64 ", False),
        (KERNEL_32, "pvh", "xen-3.0-x86_64 hvm-3.0-x86_64 ", True),
        (KERNEL, "pv", "xen-3.0-x86_64 ", True),
        (b"\x1f\x8b compressed", "pv", "xen-3.0-x86_64 ", True),
        (b"", "pv", "xen-3.0-x86_64 ", True),
    ],
)
def test_32_bit_kernels(tmp_path: Path, kernel: bytes, guest: str, caps: str, is_run: bool) -> None:
    path = tmp_path / "kernel"
    path.write_bytes(kernel)
    info = attrs.evolve(host_info(Hardware(), 1 << 20, 0), xen_caps=caps)
    config = DomainConfig(name="d", type=guest)
    if is_run:
        check_host(info, config, str(path))
        return
    with pytest.raises(XendError) as caught:
        check_host(info, config, str(path))
    assert caught.value.code == "unsupported"
    assert caught.value.message == (
        f"kernel {path} is a 32-bit one, which this host does not run in a pv domain: xen-3.0-x86_32p is not "
        "among the xen_caps of xl info"
    )


def test_a_file_that_went_away_is_the_build_s_to_tell(tmp_path: Path) -> None:
    info = attrs.evolve(host_info(Hardware(), 1 << 20, 0), xen_caps="xen-3.0-x86_64 ")
    check_host(info, DomainConfig(name="d"), str(tmp_path / "none"))
