"""Xen's own `xenconsole` on the ptys of our consoles, found through our store and through Xen's."""

import os
import subprocess
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.peers.daemons import Daemon, need, preloaded
from tests.peers.debian import XEN_BIN
from tests.unit.xend.console.world import Host, write_nodes
from xenclient.store.aio import Client
from xend.console.pty import open_pty
from xend.console.service import Consoles

pytestmark = pytest.mark.peer

SECONDS = 60
DOMID = 4711  # in the name of xenconsole's lock file, which is the machine's


@pytest.fixture(params=["our_xenstored", "c_xenstored"])
def daemon(request: pytest.FixtureRequest) -> Daemon:
    need(XEN_BIN / "xenconsole", Path("cc"))
    running: Daemon = request.getfixturevalue(request.param)
    return running


async def read(stream: trio.abc.ReceiveStream, wanted: bytes) -> None:
    """Read exactly this."""
    data = b""
    while len(data) < len(wanted):
        piece = await stream.receive_some()
        assert piece, f"xenconsole ended after {data!r}"
        data += piece
    assert data == wanted


def test_xenconsole_shows_types_and_ends(daemon: Daemon, tmp_path: Path) -> None:
    async def main() -> None:
        host = Host()
        ring = host.start(DOMID)
        command = [str(XEN_BIN / "xenconsole"), str(DOMID), "--interactive"]
        # xenconsole asks the hypervisor whether the domain exists: whether this file does, says `preload.c`.
        (tmp_path / str(DOMID)).mkdir()
        (tmp_path / str(DOMID) / "store.page").touch()
        environment = {
            **os.environ,
            "XENSTORED_PATH": str(daemon.socket),
            "LD_PRELOAD": preloaded(),
            "XENSTORED_GUESTS": str(tmp_path),
        }
        run = partial(
            trio.run_process,
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            check=False,
        )
        async with Client(str(daemon.socket)) as store, trio.open_nursery() as nursery:
            consoles = Consoles(host, store, None, open_pty, host.lines.append)
            await nursery.start(consoles.run)
            await write_nodes(store, DOMID, "foo")
            try:
                await consoles.serve(DOMID, "foo", 77, 2)
                process = await nursery.start(run)
                ring.say(b"foo login: ")
                await read(process.stdout, b"foo login: ")
                await process.stdin.send_all(b"root\r")
                heard = b""
                while heard != b"root\r":
                    heard += ring.hear()
                    await trio.sleep(0.01)
                ring.say(b"Power down.\r\n")
                (tmp_path / str(DOMID) / "store.page").unlink()
                await consoles.end(DOMID)
                await read(process.stdout, b"Power down.\r\n")
                await process.wait()
            finally:
                await store.rm(f"/local/domain/{DOMID}")
            nursery.cancel_scope.cancel()

    async def bounded() -> None:
        with trio.fail_after(SECONDS):
            await main()

    trio.run(bounded)
