"""What is the simulated host's own: its files, its figures, one world from one seed."""

import errno
import os
import random
import socket
import stat
import struct
from collections.abc import Awaitable
from pathlib import Path

import attrs
import pytest
import trio

from tests.unit.xend.simulator.test_guest import booted
from tests.unit.xend.simulator.world import MIB, world
from xend.hypervisor import Blueprint, DomainType, HypervisorError, Image, Rings
from xend.simulator import description
from xend.simulator.core_file import core
from xend.simulator.description import Hardware
from xend.simulator.domids import DOMID_LIMIT, Domids
from xend.simulator.host import SimulatedHost
from xend.simulator.image import write_kernel
from xend.simulator.machine import SOFT_RESET
from xend.simulator.messages import KEPT, MessageBuffer
from xend.simulator.place import DomainFiles
from xenstore.daemon.locks import Held
from xenstore.platform.sim import SimulatedPlatform

pytestmark = pytest.mark.trio

UUID = "00000000-0000-4000-8000-{:012x}"


def blueprint(number: int) -> Blueprint:
    return Blueprint(uuid=UUID.format(number), max_vcpus=1, max_memory_kib=1024)


@pytest.fixture
async def host(tmp_path: Path) -> SimulatedHost:
    return SimulatedHost(tmp_path / "h", random=random.Random(1))


async def test_its_memory_adds_up(host: SimulatedHost) -> None:
    info = await host.host_info()
    (dom0,) = await host.domains()
    used = dom0.memory_kib + description.HYPERVISOR_KIB
    assert info.free_memory_kib + used == info.total_memory_kib == 4096 * MIB


async def test_nobody_else_sees_into_it(tmp_path: Path, autojump_clock: object) -> None:
    (tmp_path / "host").mkdir(mode=0o755)
    async with world(tmp_path) as w:
        _, terminal = await booted(w)
        for path in [w.host.place.directory, *w.host.place.directory.rglob("*")]:
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
                assert mode & 0o077 == 0, path
        terminal.ring.close()


async def test_domids_rise_go_round_and_leave_out_those_in_use() -> None:
    domids = Domids()
    assert [domids.next({0: None}) for _ in range(DOMID_LIMIT)] == [*range(1, DOMID_LIMIT), 1]
    assert domids.next({0: None, 2: None, 3: None}) == 4
    with pytest.raises(HypervisorError) as caught:
        domids.next(dict.fromkeys(range(DOMID_LIMIT)))
    assert caught.value.errno == errno.ENOSPC


async def test_a_create_that_fails_leaves_nothing(
    host: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(files: DomainFiles, unique: int) -> None:
        files.home.mkdir()
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(DomainFiles, "create", refuse)
        with pytest.raises(HypervisorError) as caught:
            await host.create(blueprint(1))
    assert caught.value.errno == errno.ENOSPC
    assert [info.domid for info in await host.domains()] == [0]
    await host.create(blueprint(1))


async def test_what_the_store_sees(host: SimulatedHost) -> None:
    held = Held()
    platform = SimulatedPlatform(host.place.directory, held)
    seen = {}
    for number in range(3):
        domid = await host.create(blueprint(1))
        seen[number] = platform.domains()[domid]
        assert platform.map_page(domid, 0)
        await host.shutdown(domid, 0)
        assert platform.domains()[domid].is_shutdown
        await host.destroy(domid)
        assert domid not in platform.domains()
    assert len({state.unique for state in seen.values()}) == 3
    assert not any(state.is_shutdown for state in seen.values())
    assert list(platform.domains()) == [0]
    platform.close()
    held.close()


async def test_identities_differ_from_those_before_a_restart(tmp_path: Path) -> None:
    uniques = []
    for _ in range(2):
        host = SimulatedHost(tmp_path / "h", random=random.Random(1))
        domid = await host.create(blueprint(1))
        uniques.append((host.place.domain(domid).home / "unique").read_text())
    assert uniques[0] != uniques[1]


async def test_ends_are_told(host: SimulatedHost) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as store:
        store.setblocking(False)
        store.bind(os.fspath(host.place.store_channel))
        domid = await host.create(blueprint(1))
        for end in (host.shutdown(domid, 3), host.destroy(domid)):
            await end
            assert store.recv(16) == (1).to_bytes(4, "little")
        with pytest.raises(BlockingIOError):
            store.recv(16)


async def test_a_full_queue_of_the_stores_is_told_later(host: SimulatedHost, autojump_clock: object) -> None:
    """All ports are heard, however few datagrams the socket holds."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as store:
        store.setblocking(False)
        store.bind(os.fspath(host.place.store_channel))
        ports = set(range(100, 600))
        heard: set[int] = set()
        async with trio.open_nursery() as nursery:
            bell = host._kernels.doorbell
            nursery.start_soon(bell.retry)
            for port in ports:
                assert bell.fire(port)
            while heard != ports:
                await trio.lowlevel.wait_readable(store)
                heard.add(int.from_bytes(store.recv(4), "little"))
            nursery.cancel_scope.cancel()


async def test_a_path_too_long_for_sockets(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="may have") as caught:
        SimulatedHost(tmp_path / ("x" * 100), random=random.Random(1))
    assert caught.value.errno == errno.ENAMETOOLONG


RINGS = Rings(store_gfn=1, store_port=1, console_gfn=2, console_port=2)


@pytest.mark.parametrize(
    ("call", "more"),
    [("pause", ()), ("unpause", ()), ("destroy", ()), ("soft_reset", (RINGS,)), ("claim", (4,))],
)
async def test_dom0_is_left_alone(host: SimulatedHost, call: str, more: tuple[object, ...]) -> None:
    with pytest.raises(HypervisorError) as caught:
        await getattr(host, call)(0, *more)
    assert caught.value.errno == errno.EPERM


async def refusal(call: Awaitable[object]) -> int:
    """The errno with which a call is refused."""
    with pytest.raises(HypervisorError) as caught:
        await call
    return caught.value.errno


async def test_memory_is_claimed_once(host: SimulatedHost) -> None:
    domid = await host.create(blueprint(1))
    await host.claim(domid, 512)
    assert await refusal(host.claim(domid, 4)) == errno.EINVAL


@pytest.mark.parametrize(
    ("caps", "type", "is_run"),
    [
        (("pv",), "pv", True),
        (("pv",), "pvh", False),
        (("pv", "hvm"), "pvh", False),
        (("hvm", "hap"), "pvh", True),
        (("hvm", "hap"), "pv", False),
    ],
)
async def test_types_that_it_cannot_run(
    tmp_path: Path, caps: tuple[str, ...], type: DomainType, is_run: bool
) -> None:
    host = SimulatedHost(tmp_path / "h", random=random.Random(1), hardware=Hardware(virt_caps=caps))
    wanted = attrs.evolve(blueprint(1), type=type)
    if is_run:
        await host.create(wanted)
    else:
        assert await refusal(host.create(wanted)) == errno.EOPNOTSUPP


async def test_pools_have_the_cpus_that_the_hardware_says(tmp_path: Path) -> None:
    hardware = Hardware(cpus=6, pool_cpus=(2, 1))
    host = SimulatedHost(tmp_path / "h", random=random.Random(1), hardware=hardware)
    domid = await host.create(attrs.evolve(blueprint(1), pool=1))
    assert [(p.number, p.domains, list(p.cpus)) for p in await host.pools()] == [
        (0, 1, [0, 1, 2]),
        (1, 1, [4, 5]),
        (2, 0, [3]),
    ]
    (vcpu,) = await host.vcpus(domid)
    assert (vcpu.cpu in (4, 5), vcpu.hard_affinity) == (True, tuple(range(6)))
    assert await refusal(host.set_affinity(domid, 0, [3], None)) == errno.EINVAL
    await host.set_affinity(domid, 0, [3, 5], [0, 1, 2, 4])
    (vcpu,) = await host.vcpus(domid)
    assert (vcpu.cpu, vcpu.hard_affinity, vcpu.soft_affinity) == (5, (3, 5), (0, 1, 2, 4))


async def test_one_that_was_unpaused_too_early_runs_once_it_is_built(
    tmp_path: Path, autojump_clock: object
) -> None:
    """As with Xen, which lets it; who builds domains must not do it."""
    write_kernel(tmp_path / "kernel")
    async with world(tmp_path) as w:
        domid = await w.host.create(blueprint(1))
        await w.host.unpause(domid)
        rings = await w.host.build(
            domid, Image(blueprint=blueprint(1), memory_kib=1024, kernel=str(tmp_path / "kernel"))
        )
        terminal = w.terminal(domid, rings)
        await terminal.open()
        await terminal.expect("Simulated kernel")
        terminal.ring.close()


async def test_a_guest_boots_again_after_a_soft_reset(tmp_path: Path, autojump_clock: object) -> None:
    async with world(tmp_path) as w:
        domid, rings = await w.boot(type="pvh")
        await w.becomes(f"/local/domain/{domid}/control/feature-poweroff", "1")
        await w.host.shutdown(domid, SOFT_RESET)
        await w.store.release(domid)
        again = await w.host.soft_reset(domid, rings)
        await w.write_nodes(domid, again, "x", 64 * MIB, 64 * MIB)
        terminal = w.terminal(domid, again)
        await terminal.open()
        await w.host.unpause(domid)
        await w.becomes(f"/local/domain/{domid}/control/feature-poweroff", "1")
        await terminal.expect("login: ")
        terminal.ring.close()


@pytest.mark.parametrize("wrong", [{"cpus": 0}, {"memory_kib": 1000}, {"flavour": "plan9"}])
async def test_hardware_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Hardware(**wrong)  # type: ignore[arg-type]


async def test_the_message_buffer_keeps_the_latest() -> None:
    buffer = MessageBuffer(lambda: 1.5)
    for number in range(10_000):
        buffer.say(f"line {number}")
    text = buffer.read(clear=False)
    assert KEPT // 4 < len(text) <= KEPT
    assert text.splitlines()[-1] == b"(XEN) [    1.500000] line 9999"
    assert b"lost" in text.splitlines()[0]
    buffer.say("more")
    assert b"line 9999" in buffer.read(clear=True)
    assert buffer.read(clear=False) == b""


async def test_a_core_is_elf_and_says_how_large_the_domain_was() -> None:
    data = core(memory_kib=1024, vcpus=2)
    magic, type, machine = struct.unpack_from("<16sHH", data)
    assert (magic[:5], type, machine) == (b"\x7fELF\2", 4, 62)
    (start,) = struct.unpack_from("<Q", data, 32)
    kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", data, start)
    assert (kind, offset + size) == (4, len(data))
    assert struct.unpack_from("<QQQQ", data, len(data) - 32)[1:] == (2, 256, 4096)
