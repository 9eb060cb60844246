"""Our client and programs over /dev/xen/xenbus, in dom0, whose kernel shares its ring with them."""

import sys
from pathlib import Path

import pytest

from tests.xen.dom0 import Dom0
from tests.xen.guest import UNTIL, Guest

pytestmark = pytest.mark.xen

BIN = Path(sys.prefix) / "bin"
OVER_DEVICE = "export XENSTORED_PATH=/dev/xen/xenbus\n"

#: Each client: two transactions beside each other, a conflict done again, watches with and without depth,
#: what does not fit, and a reset that must leave the kernel's own watches alone.
CLIENT = r"""
import threading, trio
from xenclient.store import aio, blocking
from xenclient.store.errors import DeadlineError
from xenstore.errors import E2BIG, EACCES, ENOENT

with blocking.Client() as client:
    assert client.read("domid") == b"0", client.read("domid")
    with client.transaction() as one, client.transaction() as two:
        one.write("/tool/device/one", "1")
        two.write("/tool/device/two", "2")
        assert not client.exists("/tool/device/one")
    assert set(client.directory("/tool/device")) == {"one", "two"}
    client.run_transaction(lambda tx: tx.write("/tool/device/one", tx.read("/tool/device/two")))
    assert client.read("/tool/device/one") == b"2"
    try:
        client.write("/tool/device/big", bytes(4096 - 16 - 16))
    except E2BIG:
        pass
    else:
        raise AssertionError("not refused")
    with client.watch("/tool/device") as watch, client.watch("/tool", depth=1) as shallow:
        assert watch.next(10).path == "/tool/device"
        assert shallow.next(10).path == "/tool"
        client.write("/tool/device/three", "3")
        client.write("/tool/device", "")
        assert [watch.next(10).path for _ in range(2)] == ["/tool/device/three", "/tool/device"]
        assert shallow.next(10).path == "/tool/device"
        try:
            watch.next(0.2)
        except DeadlineError:
            pass
        client.reset_watches()

async def main():
    async with aio.Client() as client, client.watch("/tool/device") as watch, trio.open_nursery() as nursery:
        assert (await watch.next(10)).path == "/tool/device"
        async def work(n):
            for i in range(20):
                async with client.transaction() as tx:
                    await tx.write(f"/tool/device/{n}", str(i))
                assert await client.read(f"/tool/device/{n}") == str(i).encode()
        async with trio.open_nursery() as workers:
            for n in range(4):
                workers.start_soon(work, n)
        seen = [(await watch.next(10)).path for _ in range(80)]
        assert set(seen) == {f"/tool/device/{n}" for n in range(4)}, seen
    async with aio.Client() as client:
        await client.rm("/tool/device")

trio.run(main)
print("done")
"""


@pytest.mark.ours
def test_programs(dom0: Dom0) -> None:
    dom0.must(f"{OVER_DEVICE}{BIN}/xenstore-write /tool/program a domid-too b; {BIN}/xenstore-rm domid-too")
    assert dom0.must(f"{OVER_DEVICE}{BIN}/xenstore-read /tool/program domid").split() == ["a", "0"]
    over_device = dom0.must(f"{OVER_DEVICE}{BIN}/xenstore-ls -fp /local/domain/0/control")
    assert over_device == dom0.must(f"{BIN}/xenstore-ls -fp /local/domain/0/control")
    dom0.must(f"{BIN}/xenstore-rm /tool/program")


@pytest.mark.ours
def test_the_device_is_used_where_there_is_no_socket(dom0: Dom0) -> None:
    nowhere = "export XENSTORED_RUNDIR=/run/nowhere\n"
    assert dom0.must(f"{nowhere}{BIN}/xenstore-read domid").strip() == "0"
    refused = dom0.run(f"{nowhere}{BIN}/xenstore-read -s domid 2>&1")
    assert refused.status == 1


@pytest.mark.ours
def test_a_watch(dom0: Dom0) -> None:
    dom0.must(
        f"{OVER_DEVICE}{UNTIL}{BIN}/xenstore-watch -n 2 /tool/watched >/run/watched &\n"
        f"until_done grep -q . /run/watched; {BIN}/xenstore-write /tool/watched/a 1; wait"
    )
    assert dom0.must("cat /run/watched").split() == ["/tool/watched", "/tool/watched/a"]
    dom0.must(f"{BIN}/xenstore-rm /tool/watched")


def test_both_clients_and_the_kernel_keeps_its_watches(dom0: Dom0, guest: Guest) -> None:
    done = dom0.must(
        f"{OVER_DEVICE}cat >/run/client.py <<'END'\n{CLIENT}END\n{BIN}/python /run/client.py 2>&1", 120
    )
    assert done.split()[-1] == "done"
    # dom0's backends hear of a disk by the kernel's watches alone.
    guest.plug_disk("/run/after.img")
    guest.unplug_disk()
