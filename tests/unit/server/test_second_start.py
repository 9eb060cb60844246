"""A xenstored that is refused because another one serves: on no platform has it done anything by then."""

import errno
import mmap
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.snapshot import snapshot
from tests.unit.platform.kernel import Domain, Kernel, LinuxKernel, NetBSDKernel, running
from xenstore.daemon.start import StartError
from xenstore.server.options import parse
from xenstore.server.server import Server
from xenstore.wire import MessageType, pack

KERNELS: dict[str, type[Kernel]] = {"linux": LinuxKernel, "netbsd": NetBSDKernel}


class Host:
    """A host with a domain besides dom0, and the calls that its kernel got."""

    def __init__(self, name: str, directory: Path, kernel: Kernel | None) -> None:
        self.name = name
        self.directory = directory
        self.kernel = kernel
        self.calls: list[str] = []
        if kernel is not None:
            kernel.domains[5] = Domain()
            for each in ("open", "ioctl", "map", "allocate", "write", "exists"):
                self._listen(each, getattr(kernel, each))
            return
        for domid in (0, 5):
            (directory / str(domid)).mkdir()
            (directory / str(domid) / "store.page").write_bytes(bytes(4096))

    def _listen(self, name: str, call: Any) -> None:
        def heard(*words: Any, **more: Any) -> Any:
            self.calls.append(name)
            return call(*words, **more)

        setattr(self.kernel, name, heard)

    def server(self, rundir: Path, *words: str) -> Server:
        options = parse(["-N", "--rundir", str(rundir), "--platform", self.name, *words], {})
        return Server(options, lambda line: None, may_be_replaced=True, system=self.kernel)


@pytest.fixture(params=["sim", *KERNELS])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    if request.param == "netbsd" and not sys.platform.startswith("linux"):
        pytest.skip("the descriptor that only poll(2) can wait for is made of Linux's epoll")
    directory = tmp_path / "h"
    directory.mkdir()
    if request.param == "sim":
        yield Host(f"sim:{directory}", directory, None)
    else:
        with running(KERNELS[request.param]) as kernel:
            yield Host(request.param, directory, kernel)


@pytest.mark.parametrize("words", [(), ("-F", "pid"), ("-T", "trace"), ("-U",), ("--fresh", "--force")])
def test_the_run_directory_is_served(
    host: Host, tmp_path: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is changed, and the host is not even asked."""
    monkeypatch.chdir(tmp_path)
    with ExitStack() as first:
        server = host.server(tmp_path / "r")
        server.open(first)
        server.bring_up(first)
        host.calls.clear()
        before = snapshot(tmp_path)
        with ExitStack() as stack, pytest.raises(StartError, match="is served by another xenstored"):
            host.server(tmp_path / "r", *words).open(stack)
        assert host.calls == []
        assert snapshot(tmp_path) == before


def test_the_host_is_served_from_another_run_directory(host: Host, tmp_path: Path) -> None:
    """What the two share is the host: a real one has one VIRQ_DOM_EXC, a simulated one a lock."""
    with ExitStack() as first:
        if host.kernel is None:
            server = host.server(tmp_path / "r")
            server.open(first)
            server.bring_up(first)
        else:
            host.kernel.virq_taken = errno.EEXIST
        before = snapshot(host.directory)
        with ExitStack() as stack, pytest.raises(StartError, match=r"another (program|xenstored)"):
            host.server(tmp_path / "other").open(stack)
        assert snapshot(host.directory) == before
        assert os.listdir(tmp_path / "other") == ["socket.lock"]
        if host.kernel is not None:
            assert (host.kernel.bound, host.kernel.notified, host.kernel.files) == ({}, [], {})
            assert all(domain.ports == {7} for domid, domain in host.kernel.domains.items() if domid)
            assert "write" not in host.calls


def test_the_one_that_serves_still_hears_its_domains(host: Host, tmp_path: Path) -> None:
    with ExitStack() as first:
        server = host.server(tmp_path / "r")
        server.open(first)
        server.bring_up(first)
        for rundir in ("r", "other") if host.kernel is None else ("r",):
            with ExitStack() as stack, pytest.raises(StartError):
                host.server(tmp_path / rundir).open(stack)
        if host.kernel is not None:
            port = next(port for port, other in host.kernel.bound.items() if other == (5, 7))
            page = host.kernel.domains[5].page
        else:
            port = 21  # 16 and the domid
            with (host.directory / "5/store.page").open("r+b") as file:
                page = mmap.mmap(file.fileno(), 4096)
        request = pack(MessageType.READ, b"/tool\0")
        _put(page, request)
        if host.kernel is not None:
            host.kernel.fire(port)
        else:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto(port.to_bytes(4, "little"), str(host.directory / "store.channel"))
        server.pump.turn(1)
        server.pump.turn(0)
        assert _consumed(page) == len(request)


def _put(page: Any, request: bytes) -> None:
    """A request on a ring: its bytes, then req_prod."""
    page.seek(0)
    page.write(request)
    page.seek(2052)
    page.write(len(request).to_bytes(4, "little"))
    page.flush()


def _consumed(page: Any) -> int:
    page.seek(2048)
    return int.from_bytes(page.read(4), "little")
