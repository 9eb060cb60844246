import sys
from collections.abc import Iterator

import pytest

from tests.unit.platform.kernel import Kernel, LinuxKernel, NetBSDKernel, running
from xenstore.daemon.locks import Held
from xenstore.platform.linux import LinuxPlatform
from xenstore.platform.netbsd import NetBSDPlatform
from xenstore.platform.xen import XenPlatform

KINDS: dict[str, tuple[type[Kernel], type[XenPlatform]]] = {
    "linux": (LinuxKernel, LinuxPlatform),
    "netbsd": (NetBSDKernel, NetBSDPlatform),
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "netbsd" and not sys.platform.startswith("linux"):
        pytest.skip("the descriptor that only poll(2) can wait for is made of Linux's epoll")
    name: str = request.param
    return name


@pytest.fixture
def kernel(kind: str) -> Iterator[Kernel]:
    with running(KINDS[kind][0]) as kernel:
        yield kernel


@pytest.fixture
def platform(kind: str, kernel: Kernel) -> Iterator[XenPlatform]:
    platform = KINDS[kind][1](Held(), kernel)
    yield platform
    platform.close()
    assert kernel.files == {}
