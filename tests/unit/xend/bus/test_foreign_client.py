"""MessagePack-RPC clients that know nothing of this project."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgpack
import pytest
import trio

from tests.unit.xend.bus.toy import Toy
from xend.bus import open_listeners, serve
from xenstore.daemon.locks import Held

#: PyPI's aio-msgpack-rpc: a general client and server on asyncio.
FOREIGN = """
import asyncio, json, sys
import aio_msgpack_rpc

async def main():
    client = aio_msgpack_rpc.Client(*await asyncio.open_unix_connection(sys.argv[1]))
    print(json.dumps([await client.call("hello", {"client": "foreign"}), await client.call("domain.list")]))
    client.close()

asyncio.run(main())
"""


def plain(path: str, method: str, params: list[Any]) -> Any:
    """All that a client needs."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.sendall(msgpack.packb([0, 1, method, params]))
        unpacker = msgpack.Unpacker()
        while True:
            unpacker.feed(sock.recv(4096))
            for kind, id, error, result in unpacker:
                assert (kind, id, error) == (1, 1, None)
                return result


def foreign(path: str) -> Any:
    done = subprocess.run([sys.executable, "-c", FOREIGN, path], check=True, capture_output=True, timeout=60)
    return json.loads(done.stdout)


@pytest.mark.trio
async def test_fifteen_lines_are_a_client(tmp_path: Path, nursery: trio.Nursery) -> None:
    toy = Toy()
    with open_listeners(Held(), str(tmp_path)) as found:
        await nursery.start(serve, found, toy.methods(), toy.log.append)
        path = str(tmp_path / "socket")
        hello = await trio.to_thread.run_sync(plain, path, "hello", [{"client": "plain"}])
        assert (hello["server"], hello["protocol"]) == ("xend", 1)
        assert await trio.to_thread.run_sync(plain, path, "domain.list", []) == [
            {"domid": 0, "name": "Domain-0"}
        ]
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_a_client_of_another_author(tmp_path: Path, nursery: trio.Nursery) -> None:
    if importlib.util.find_spec("aio_msgpack_rpc") is None:
        assert not os.environ.get("XEND_REQUIRE_PEERS"), "pip install aio-msgpack-rpc"
        pytest.skip("needs aio-msgpack-rpc")
    toy = Toy()
    with open_listeners(Held(), str(tmp_path)) as found:
        await nursery.start(serve, found, toy.methods(), toy.log.append)
        hello, domains = await trio.to_thread.run_sync(foreign, str(tmp_path / "socket"))
        assert (hello["server"], hello["access"]) == ("xend", "operate")
        assert domains == [{"domid": 0, "name": "Domain-0"}]
        nursery.cancel_scope.cancel()
