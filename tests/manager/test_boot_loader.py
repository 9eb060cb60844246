"""A boot loader of the real kind, below the real xend on a simulated host: its menu, and a kill of xend."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.manager.daemon import PATIENCE_SECONDS
from tests.manager.place import Place
from tests.manager.terminal import Terminal
from tests.peers.daemons import lacking
from xend.simulator.image import write_kernel

#: Shows what it waits for, and takes the disk for the kernel.
LOADER = r"""#!/bin/sh
for word do case $word in --output=*) answer=${word#*=};; --output-directory=*) files=${word#*=};; esac; done
echo "menu of $(id -u)"
read key
head -c 100000 "$word" > $files/boot_kernel.1
printf 'kernel %s\0args %s\0\0' $files/boot_kernel.1 "key=$key" > $answer
"""
CONFIG = """
name = "foo"
bootloader = "{top}/loader"
memory = 32
disk = [ 'file:/n0/xen/disk,0x0,r' ]
"""


@pytest.fixture
def booting(place: Place) -> Place:
    """A host whose domain foo has a boot loader."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        lacking("only root may shut a boot loader in")
    place.top.chmod(0o755)
    loader = place.top / "loader"
    loader.write_text(LOADER)
    loader.chmod(0o755)
    (place.top / "foo").write_text(CONFIG.format(top=place.top))
    disk = place.top / "root/n0/xen/disk"
    write_kernel(disk)
    os.truncate(disk, -(-disk.stat().st_size // 512) * 512)
    disk.chmod(0o600)
    place.start()
    return place


def loaders(place: Place) -> list[str]:
    """Processes that run the loader."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [each.parent.name] if f"{place.top}/loader".encode() in each.read_bytes() else []
        except OSError:
            continue
    return found


def test_its_menu_in_xl_create_c_and_the_guest_after_it(booting: Place) -> None:
    argv = [booting.program("xl"), "create", "-qc", "foo"]
    with Terminal(argv, booting.environment, booting.top) as terminal:
        terminal.until(b"menu of 20000000")
        terminal.type(b"x\r")
        terminal.until(b"foo login: ")
        terminal.type(b"\x1d")
        assert terminal.end()[0] == 0
    assert "foo" in booting.said("xl", "list")
    assert not list((booting.top / "bootloader").iterdir())
    with booting.store() as store:
        domid = int(booting.said("xl", "domid", "foo"))
        vm = store.read(f"/local/domain/{domid}/vm").decode()
        assert store.read(f"{vm}/image/cmdline") == b"key=x"
    assert b"menu of" in (booting.top / "log/console/foo.log").read_bytes()


def test_a_kill_of_xend_ends_it_and_nothing_is_left(booting: Place) -> None:
    argv = [booting.program("xl"), "create", "-qc", "foo"]
    with Terminal(argv, booting.environment, booting.top) as terminal:
        terminal.until(b"menu of 20000000")
        assert loaders(booting)
        booting.xend.clean_up()
        terminal.end()
    booting.start()
    end = time.monotonic() + PATIENCE_SECONDS
    while loaders(booting) and time.monotonic() < end:
        time.sleep(0.05)
    assert not loaders(booting)
    assert "foo" not in booting.said("xl", "list")
    assert not (booting.top / "bootloader").exists()
