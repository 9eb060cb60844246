"""Which platform this machine is, found out by what is there."""

import os
import re
from collections.abc import Iterator

import pytest

from tests.unit.platform.kernel import Kernel, LinuxKernel, NetBSDKernel, running
from xenstore.daemon.locks import Held
from xenstore.platform import Unavailable
from xenstore.platform.choose import open_platform, valid_name

XENFS = {"/proc/xen/xsd_kva", "/proc/xen/xsd_port"}
KERNFS = {"/kern/xen", "/kern/xen/privcmd", "/kern/xen/xsd_port"}


@pytest.fixture
def linux() -> Iterator[Kernel]:
    with running(LinuxKernel) as kernel:
        yield kernel


@pytest.fixture
def netbsd() -> Iterator[Kernel]:
    with running(NetBSDKernel) as kernel:
        yield kernel


def chosen(kernel: Kernel, system: str, name: str = "auto") -> str:
    """The platform's name, or why there is none."""
    reasons: list[str] = []
    platform = open_platform(name, Held(), reasons.append, kernel, system)
    if platform is None:
        (reason,) = reasons
        return f"none: {reason}"
    assert reasons == []
    platform.close()
    return platform.name


def test_names() -> None:
    for name in ("auto", "none", "linux", "netbsd", "sim:x"):
        assert valid_name(name)
    for name in ("sim:", "xen", ""):
        assert not valid_name(name)


@pytest.mark.parametrize(
    "missing", [set(), XENFS, {"/dev/xen/xenbus_backend"}], ids=["all", "xenfs", "backend"]
)
def test_linux(linux: Kernel, missing: set[str]) -> None:
    linux.missing |= missing
    assert chosen(linux, "linux") == "Linux"
    assert chosen(linux, "linux", "linux") == "Linux"


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        (XENFS | {"/dev/xen/xenbus_backend"}, "not dom0 .*mount -t xenfs"),
        (XENFS | {"/dev/xen/xenbus_backend", "/proc/xen"}, "no Xen here"),
    ],
    ids=["domain", "no Xen"],
)
def test_no_dom0_of_linux(linux: Kernel, missing: set[str], reason: str) -> None:
    linux.missing |= missing
    assert re.match(f"none: .*{reason}", chosen(linux, "linux"))
    with pytest.raises(Unavailable, match=reason):
        chosen(linux, "linux", "linux")


def test_a_dom0_without_a_module_is_an_error(linux: Kernel) -> None:
    linux.missing.add("/dev/xen/gntdev")
    with pytest.raises(Unavailable, match="modprobe xen-gntdev"):
        chosen(linux, "linux")


def test_netbsd(netbsd: Kernel) -> None:
    assert chosen(netbsd, "netbsd10") == "NetBSD"
    assert chosen(netbsd, "netbsd10", "netbsd") == "NetBSD"


def test_netbsd_without_kernfs_is_an_error(netbsd: Kernel) -> None:
    netbsd.missing |= KERNFS
    with pytest.raises(Unavailable, match="mount -t kernfs kernfs /kern"):
        chosen(netbsd, "netbsd10")


@pytest.mark.parametrize(
    ("missing", "reason"),
    [({"/kern/xen/privcmd"}, "not dom0"), (KERNFS | {"/dev/xenevt"}, "no Xen here")],
    ids=["domain", "no Xen"],
)
def test_no_dom0_of_netbsd(netbsd: Kernel, missing: set[str], reason: str) -> None:
    netbsd.missing |= missing
    assert re.match(f"none: .*{reason}", chosen(netbsd, "netbsd10"))
    with pytest.raises(Unavailable, match=reason):
        chosen(netbsd, "netbsd10", "netbsd")


def test_other_systems(linux: Kernel) -> None:
    assert chosen(linux, "freebsd14").startswith("none: freebsd14 is no system")


def test_none_is_asked_for_and_not_explained(linux: Kernel) -> None:
    assert open_platform("none", Held(), pytest.fail, linux, "linux") is None


def test_this_machine_without_xen() -> None:
    if os.path.exists("/proc/xen") or os.path.exists("/kern/xen"):
        pytest.skip("this is Xen")
    reasons: list[str] = []
    assert open_platform("auto", Held(), reasons.append) is None
    assert len(reasons) == 1
