"""What differs between systems: which poller, how many system calls, whose peer."""

import os
import shutil
import socket
import subprocess
import sys
import textwrap
from contextlib import closing
from types import ModuleType

import pytest

from tests.unit.server import bsd_build
from xenstore import _pump
from xenstore._pump import Pump
from xenstore.store import Store


def test_pollers_by_name() -> None:
    assert "poll" in _pump.pollers()
    with pytest.raises(ValueError, match=r"'best' is not available; there is .*poll"):
        Pump(Store(), "best")
    with closing(Pump(Store())) as pump:
        assert pump.fileno() > 2
    with closing(Pump(Store(), "poll")) as pump, pytest.raises(ValueError, match="no descriptor"):
        pump.fileno()


def test_the_peer_is_known_by_its_user(bsd_pump: ModuleType) -> None:
    one, other = socket.socketpair()
    with one, other:
        assert _pump.peer_uid(one.fileno()) == os.geteuid()
        assert bsd_pump.peer_uid(one.fileno()) == os.geteuid()
    with open(os.devnull) as file, pytest.raises(OSError, match=r"not a socket|non-socket"):
        _pump.peer_uid(file.fileno())


@pytest.mark.parametrize("defines", [(), ("FAKE_UDATA_NUMBER",)], ids=["pointer", "number"])
def test_the_kqueue_poller_compiles_without_a_warning(defines: tuple[str, ...], bsd_pump: ModuleType) -> None:
    bsd_build.check_header(*defines)


def test_a_closed_loop_request_is_three_system_calls() -> None:
    strace = shutil.which("strace")
    if strace is None or subprocess.run([strace, "-o", os.devnull, "true"], check=False).returncode != 0:
        pytest.skip("needs strace, and leave to trace")
    requests = 500
    calls = ["epoll_wait", "recvfrom", "sendto", "epoll_ctl", "poll", "ppoll", "futex"]
    done = subprocess.run(
        [strace, "-f", "-e", f"trace={','.join(calls)}", sys.executable, "-c", textwrap.dedent(_CLOSED_LOOP)],
        env=os.environ | {"REQUESTS": str(requests)},
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    begin, end = done.stderr.index("MSG_OOB"), done.stderr.rindex("MSG_OOB")
    loop = done.stderr[begin:end].splitlines()[1:-1]
    assert len(loop) == 3 * requests, loop[:20]


# The client lives in the same thread, with read and write: what is traced is the pump's own.
_CLOSED_LOOP = """
    import os, socket
    from tests.unit.server.clients import Client, read_request
    from xenstore._pump import Pump
    from xenstore.store import Store
    pump = Pump(Store())
    client = Client(pump)
    request = read_request()
    def mark():
        try:
            client.socket.recv(1, socket.MSG_OOB)
        except OSError:
            pass
    mark()
    for _ in range(int(os.environ["REQUESTS"])):
        os.write(client.socket.fileno(), request)
        pump.turn()
        os.read(client.socket.fileno(), 100)
    mark()
"""
