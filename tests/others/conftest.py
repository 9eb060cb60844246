"""One host for all tests here: each begins and ends with no domain, and starting one would cost the most."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.manager.place import Place
from tests.starter import Starter
from xend.simulator.image import write_kernel

#: What kernels and disks of theirs are called, below the host's root.
KERNELS = ("boot/vmlinuz-3-xenU", "boot/vmlinuz", "boot/initrd.img", "n/netbsd-INSTALL_XEN3_DOMU.gz")
DISKS = (
    "dev/vg/guest-volume",
    "dev/zvol/tank/guest-volume",
    "srv/disk0",
    "srv/disk1",
    "srv/web.img",
    "srv/web-swap.img",
    "n/wd0.img",
    "n/boot.iso",
)


@pytest.fixture(scope="session")
def host(starter: Starter) -> Iterator[Place]:
    """A host with xend running, and files for its domains."""
    top = Path(tempfile.mkdtemp(prefix="xend-"))
    place = Place(top, starter.bin)
    for name in KERNELS:
        path = top / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_kernel(path)
    for name in DISKS:
        path = top / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(4096))
    # What waits a second between two looks need not wait that long here.
    quick = top / "quick"
    quick.mkdir()
    for name in ("sleep", "usleep"):
        (quick / name).write_text(f"#!/bin/sh\nexec {shutil.which('sleep')} 0.05\n")
        (quick / name).chmod(0o755)
    place.environment["PATH"] = f"{quick}:{place.environment['PATH']}"
    try:
        place.start()
        yield place
    finally:
        place.clean_up()
        shutil.rmtree(top, ignore_errors=True)


@pytest.fixture(autouse=True)
def empty(host: Place) -> Iterator[None]:
    """No domain is left by a test."""
    yield
    with host.client() as client:
        for domain in client.domains():
            if domain["domid"] != 0:
                client.destroy(domain["uuid"])
