"""The example configurations that Xen ships, with a kernel and a disk of this host's, by our xl and xend."""

import pytest

from tests.xen.dom0 import Dom0
from tests.xen.guest import NEWEST, OURS, START_LIMIT_S, STOP_LIMIT_S, UNTIL
from tests.xen.host_state import Left, state_of

pytestmark = pytest.mark.xen

DISK = "/run/example.img"


@pytest.mark.parametrize(
    ("kind", "memory", "vcpus"),
    [("pvlinux", "128", "2"), pytest.param("pvhlinux", "512", "4", marks=pytest.mark.long)],
)
def test_it_starts(managed: Dom0, empty: Left, kind: str, memory: str, vcpus: str) -> None:
    """What is given besides is what the files say that everybody has to change."""
    images, name = managed.images, f"example.{kind}"
    given = [
        f'kernel="{images.kernel}"',
        f'ramdisk="{images.guest}"',
        'extra="console=hvc0 quiet"',
        f'disk=["{DISK},raw,xvda,rw"]',
        'vif=["bridge=xenbr0"]',
    ]
    words = " ".join(f"'{each}'" for each in given)
    managed.must(
        f"truncate -s 16M {DISK}\n{OURS.xl} create /etc/xen/xl{name} {words}\n"
        f"{NEWEST}{UNTIL}until_done xenstore-read $home/data/state",
        START_LIMIT_S,
    )
    assert managed.must(f"{OURS.xl} list {name}").splitlines()[-1].split()[2:4] == [memory, vcpus]
    managed.must(f"{OURS.xl} destroy {name}", STOP_LIMIT_S)
    assert state_of(managed) == empty
