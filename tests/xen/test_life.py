"""A host's life on the store: dom0's kernel, guests made, used and ended with Debian's xl."""

import struct
import sys
from pathlib import Path
from uuid import UUID

import pytest

from tests.xen.dom0 import Dom0
from tests.xen.guest import Guest
from tests.xen.stores import Store

pytestmark = [pytest.mark.xen, pytest.mark.ours]


def test_the_store_is_the_one_that_is_meant(dom0: Dom0, store: Store) -> None:
    """Nothing else would notice a host that came up on the other one."""
    running = dom0.must("tr '\\0' ' ' </proc/$(cat /run/xenstored.pid)/cmdline")
    assert store.command.split()[0] in running


def test_dom0s_kernel_is_attached(dom0: Dom0) -> None:
    """Only dom0's kernel writes these, over its ring, when the store announces itself."""
    features = dom0.must("xenstore-ls -f /local/domain/0/control")
    assert 'feature-poweroff = "1"' in features


def test_xl_lists_dom0(dom0: Dom0) -> None:
    rows = dom0.must("xl list").splitlines()
    assert rows[1].split()[:2] == ["Domain-0", "0"]


def test_our_xen_init_dom0_names_all_cpupools(dom0: Dom0) -> None:
    """Debian's program, with which the host came up, has left the first one's name."""
    program = Path(sys.prefix) / "bin/xen-init-dom0"
    named = dom0.must(
        "xl cpupool-cpu-remove Pool-0 1\nxl cpupool-create 'name=\"second\"' 'cpus=[\"1\"]'\n"
        "xenstore-rm /local/pool; xenstore-rm /local/domain/0/name\n"
        f"{program}\nxenstore-ls -f /local/pool\nxenstore-read /local/domain/0/name\n"
        "xl cpupool-destroy Pool-1\nxl cpupool-cpu-add Pool-0 1",
        60,
    )
    lines = named.splitlines()
    assert [line for line in lines if "/name" in line] == [
        f'/local/pool/{number}/name = "Pool-{number}"' for number in (0, 1)
    ]
    assert lines[-1] == "Domain-0"


def test_guest_is_up_and_has_a_console(guest: Guest) -> None:
    guest.await_console(f"guest: up, named {guest.name}")


def test_guest_reads_its_name(guest: Guest) -> None:
    assert guest.must("xenstore-read name") == guest.name
    assert guest.must("xenstore-read domid") == str(guest.domid)


def test_guest_is_told_from_another_of_its_domid_by_its_uuid(dom0: Dom0, guest: Guest) -> None:
    """So it is on this Xen, older than 4.21."""
    uuid = UUID(dom0.must(f"xenstore-read {guest.home}/vm").removeprefix("/vm/"))
    first, second = struct.unpack("=QQ", uuid.bytes)
    listed = (
        "from xenstore.daemon.locks import Held; from xenstore.platform.linux import LinuxPlatform; "
        f"print(LinuxPlatform(Held()).domains()[{guest.domid}].unique)"
    )
    assert int(dom0.must(f"{sys.executable} -c '{listed}'")) == first ^ second


@pytest.mark.parametrize("command", ["xenstore-read", "xenstore-write"])
def test_guest_is_refused_dom0s_name(dom0: Dom0, guest: Guest, command: str) -> None:
    value = " stolen" if command == "xenstore-write" else ""
    assert guest.obey(f"{command} /local/domain/0/name{value}").status != 0
    assert dom0.must("xenstore-read /local/domain/0/name") == "Domain-0"


def test_guest_writes_its_disk_and_reads_it_back(dom0: Dom0, guest: Guest) -> None:
    guest.must("echo written-by-the-guest | dd of=/dev/xvda bs=512 seek=8 conv=sync && sync")
    reader = "dd bs=512 skip=8 count=1 2>/dev/null | head -n 1"
    assert guest.must(f"({reader}) </dev/xvda") == "written-by-the-guest"
    assert dom0.must(f"({reader}) </run/shared.img") == "written-by-the-guest"


def test_guest_pings_dom0(guest: Guest) -> None:
    assert guest.pings("10.0.0.1")


def test_disk_is_attached_and_detached_hot(dom0: Dom0, guest: Guest) -> None:
    guest.plug_disk("/run/hot.img")
    guest.unplug_disk()
    assert dom0.run(f"xenstore-exists /local/domain/0/backend/vbd/{guest.domid}/51728").status != 0


def test_interface_is_attached_and_detached_hot(guest: Guest) -> None:
    guest.plug_interface("00:16:3e:01:03:01")
    guest.unplug_interface()
