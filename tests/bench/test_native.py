"""The load generator finds what is wrong with a server, and the null server has nothing wrong with it."""

import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bench.programs import SOURCES, program
from tests.bench.servers import start_null
from tests.bench.workloads import Workload
from tests.peers.daemons import Daemon
from xenstore.wire import HEADER, HEADER_SIZE, MessageType, pack


def load(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("load"), path, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )


@pytest.fixture(scope="module")
def null(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with start_null(tmp_path_factory.mktemp("null"), Workload("", "directory children=10")) as daemon:
        yield daemon


@pytest.mark.parametrize(
    "words",
    [
        "read",
        "read clients=3 depth=5",
        "write clients=70 depth=33",
        "write nodes=200 clients=2",
        "write watches=30 holders=3 idle=7 deaf=5",
        "create clients=2",
        "directory children=10 clients=2",
        "transaction clients=3",
        "transaction clients=3 shared=1",
        "read beside=2 beside_depth=3",
    ],
)
def test_figures_of_a_closed_loop(null: Daemon, words: str) -> None:
    done = load(null.socket, *words.split(), "ms=30", f"pid={null.pid}")
    assert done.stderr == ""
    figures = json.loads(done.stdout)
    assert figures["ops"] > 0
    assert figures["ops_per_s"] == pytest.approx(figures["ops"] / figures["seconds"], rel=0.1)
    assert 0 < figures["p50_us"] <= figures["p99_us"] <= figures["max_us"] * 1.01
    assert figures["cpu_us_per_op"] > 0
    assert figures["eagain"] == 0


def test_fan_out_reaches_every_watcher(tmp_path: Path) -> None:
    with start_null(tmp_path, Workload("", "fanout")) as daemon:
        done = load(daemon.socket, "fanout", "clients=20", "ms=30")
    figures = json.loads(done.stdout)
    assert figures["ops"] > 0
    assert figures["ops"] % 20 == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("directory children=11", "reply of 20 bytes to a request of type 1, expected 23"),
        ("counter clients=2", "the counter says"),
        ("counter depth=2", "depth must be 1"),
        ("reed", "no such workload"),
        ("read clients=0", "clients=0: a number of at least 1 is needed"),
        ("read clients=x", "clients=x: a number of at least 1 is needed"),
        ("read speed=1", "speed=1: not one of this program's NAME=NUMBER"),
        ("close watches=100", "needs the server's pid"),
        ("read pid=999999999", "no processor clock for process 999999999"),
    ],
)
def test_what_is_wrong_is_said(null: Daemon, words: str, complaint: str) -> None:
    done = load(null.socket, *words.split(), "ms=10")
    assert done.returncode == 1
    assert complaint in done.stderr


def test_no_server(tmp_path: Path) -> None:
    done = load(tmp_path / "socket", "read")
    assert done.returncode == 1
    assert "cannot connect" in done.stderr


def test_a_slow_server_gives_up(null: Daemon) -> None:
    done = load(null.socket, "hold", "nodes=100000000", "limit_s=1")
    assert done.returncode == 0
    assert "of 100000000 set-up requests answered in 1 s" in json.loads(done.stdout)["gave_up"]


def honest(header: tuple[int, ...]) -> bytes:
    type_, req_id, tx_id, _ = header
    return pack(
        type_, b"0123456789abcdef" if type_ == MessageType.READ else b"OK\0", req_id=req_id, tx_id=tx_id
    )


LIES: dict[str, tuple[Callable[[tuple[int, ...]], bytes], str]] = {
    "wrong request id": (
        lambda h: pack(h[0], b"0123456789abcdef", req_id=h[1] + 1),
        "reply to request 1, expected one to 0",
    ),
    "wrong type": (
        lambda h: pack(MessageType.WRITE, b"0123456789abcdef", req_id=h[1]),
        "reply of type 11 to a request of type 2",
    ),
    "an error": (
        lambda h: pack(MessageType.ERROR, b"EIO\0", req_id=h[1]),
        "request of type 2 refused: EIO",
    ),
    "wrong length": (lambda h: pack(h[0], b"012", req_id=h[1]), "reply of 3 bytes"),
    "too long": (lambda h: HEADER.pack(h[0], h[1], 0, 5000), "a message of 5000 bytes"),
    "an event": (
        lambda h: pack(MessageType.WATCH_EVENT, b"/a\0t\0", req_id=7),
        "reply to request 7, expected one to 0",
    ),
    "end of connection": (lambda h: b"", "the server closed a connection"),
}


def serve_lies(listener: socket.socket, lie: Callable[[tuple[int, ...]], bytes]) -> None:
    """Honest to every request but READ, one connection at a time."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            while head := client.recv(HEADER_SIZE, socket.MSG_WAITALL):
                header = HEADER.unpack(head)
                client.recv(header[3], socket.MSG_WAITALL)
                answer = lie(header) if header[0] == MessageType.READ else honest(header)
                if not answer:
                    break
                client.sendall(answer)


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_found(tmp_path: Path, lie: str) -> None:
    answer, complaint = LIES[lie]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        thread = threading.Thread(target=serve_lies, args=(listener, answer), daemon=True)
        thread.start()
        done = load(tmp_path / "socket", "read", "ms=10")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    assert done.returncode == 1
    assert complaint in done.stderr


def test_what_keeps_a_core_awake_goes_on_until_its_input_ends() -> None:
    with subprocess.Popen([program("awake")], stdin=subprocess.PIPE) as spinning:
        assert spinning.poll() is None
        assert spinning.stdin is not None
        spinning.stdin.close()
        assert spinning.wait(60) == 0


HISTOGRAM_MAIN = """
#include "load.h"
#include <stdio.h>
int main(void)
{
    static struct histogram h;
    long long value;
    while (scanf("%lld", &value) == 1)
        histogram_add(&h, value);
    printf("%.0f %.0f %.0f %llu", histogram_quantile(&h, 0.5), histogram_quantile(&h, 0.99),
           histogram_quantile(&h, 1.0), (unsigned long long)h.max);
    return 0;
}
"""


@pytest.mark.parametrize(
    "values",
    [
        [0],
        [1, 2, 3],
        list(range(200)),
        [63, 64, 65, 127, 128, 129],
        [10**k for k in range(12)],
        [(k * 7919) % 1_000_003 for k in range(5000)],
    ],
)
def test_quantiles_are_within_two_percent(tmp_path: Path, values: list[int]) -> None:
    source, test = tmp_path / "main.c", tmp_path / "histogram"
    source.write_text(HISTOGRAM_MAIN)
    subprocess.run(["cc", "-I", SOURCES, "-o", test, source, SOURCES / "histogram.c"], check=True)
    text = subprocess.run(
        [test], input=" ".join(map(str, values)), capture_output=True, text=True, check=True
    )
    p50, p99, p100, greatest = map(int, text.stdout.split())
    ordered = sorted(values)
    assert p50 == pytest.approx(ordered[int(0.5 * len(values))], rel=0.02, abs=1)
    assert p99 == pytest.approx(ordered[int(0.99 * len(values))], rel=0.02, abs=1)
    assert p100 == greatest == ordered[-1]
