"""Domains: what they are made of, and those that are not there."""

import errno
import os
from collections.abc import Awaitable, Callable

from tests.contract.bench import Bench, refused
from xend._sum import Sum
from xend.hypervisor import HostAccess, Rings
from xend.hypervisor.scheduling import CreditParameters


async def domains_in_order(bench: Bench) -> None:
    made = [await bench.create() for _ in range(3)]
    assert made == sorted(made)
    domids = [info.domid for info in await bench.hypervisor.domains()]
    assert domids == sorted(domids)
    assert domids[0] == 0
    assert set(made) < set(domids)
    assert await bench.hypervisor.domain(made[-1] + 1) is None


async def a_new_domain(bench: Bench) -> None:
    blueprint = bench.blueprint()
    domid = await bench.hypervisor.create(blueprint)
    info = await bench.info(domid)
    assert [info.uuid, info.max_vcpus] == [blueprint.uuid, 2]
    assert info.max_memory_kib >= bench.memory_kib
    assert [info.is_paused, info.is_shutdown, info.is_dying] == [True, False, False]
    assert [info.is_running, info.shutdown_reason] == [False, None]
    assert [info.outstanding_kib, info.cpu_time_ns] == [0, 0]
    assert bench.is_about(info.memory_kib, 0)
    await bench.hypervisor.destroy(domid)
    assert await bench.create() > domid


async def a_uuid_may_stand_twice(bench: Bench) -> None:
    blueprint = bench.blueprint()
    first, second = [await bench.hypervisor.create(blueprint) for _ in range(2)]
    assert first != second
    assert (await bench.info(first)).uuid == (await bench.info(second)).uuid == blueprint.uuid
    await bench.hypervisor.destroy(first)
    await bench.gone(first)
    assert (await bench.info(second)).uuid == blueprint.uuid


async def blueprints(bench: Bench) -> None:
    most = {"max_event_channels": 100, "max_grant_frames": 8, "max_maptrack_frames": 64}
    await bench.create(**most, max_grant_version=1, is_migratable=False, tsc_mode="native", pool=0)
    for wrong in (
        {"max_vcpus": 0},
        {"max_vcpus": 1 << 20},
        {"max_grant_frames": 1 << 30},
        {"max_maptrack_frames": 1 << 30},
    ):
        with refused(errno.EINVAL):
            await bench.create(**wrong)
    with refused(errno.ESRCH):
        await bench.create(pool=1 + max(pool.number for pool in await bench.hypervisor.pools()))


async def images(bench: Bench) -> None:
    hypervisor, files = bench.hypervisor, bench.place
    (files / "text").write_text("no kernel\n")
    (files / "empty").touch()
    (files / "large").touch()
    os.truncate(files / "large", (bench.memory_kib + 4) * 1024)
    os.mkfifo(files / "fifo")
    (files / "hidden").touch(mode=0)
    ramdisk = files / "text"

    def of(**changes: str) -> dict[str, str]:
        return {what: str(files / name) for what, name in changes.items()}

    wrong: list[tuple[dict[str, str], tuple[int, ...]]] = [
        (of(kernel="none"), (errno.ENOENT,)),
        (of(ramdisk="none"), (errno.ENOENT,)),
        (of(kernel="text"), (errno.ENOEXEC,)),
        (of(kernel="empty"), (errno.ENOEXEC, errno.EINVAL)),
        (of(kernel="."), (errno.EINVAL,)),
        (of(ramdisk="."), (errno.EINVAL,)),
        (of(kernel="fifo"), (errno.EINVAL,)),
        (of(ramdisk="fifo"), (errno.EINVAL,)),
        (of(ramdisk="large"), (errno.ENOMEM,)),
    ]
    if os.geteuid() != 0:  # root reads everything
        wrong.append((of(kernel="hidden"), (errno.EACCES,)))
    for changes, numbers in wrong:
        blueprint = bench.blueprint()
        domid = await hypervisor.create(blueprint)
        await hypervisor.claim(domid, bench.memory_kib)
        with refused(*numbers):
            await hypervisor.build(domid, bench.image(blueprint=blueprint, **changes))
        assert (await bench.info(domid)).outstanding_kib == 0
        await hypervisor.destroy(domid)
    blueprint = bench.blueprint()
    domid = await hypervisor.create(blueprint)
    image = bench.image(blueprint=blueprint, ramdisk=str(ramdisk), vcpus=2)
    rings = await hypervisor.build(domid, image)
    assert min(rings.store_gfn, rings.store_port, rings.console_gfn, rings.console_port) > 0
    assert rings.store_gfn != rings.console_gfn
    assert rings.store_port != rings.console_port
    assert (await bench.info(domid)).is_paused
    with refused(errno.EEXIST):
        await hypervisor.build(domid, image)


async def no_such_domain(bench: Bench) -> None:
    domid = await bench.create()
    await bench.hypervisor.destroy(domid)
    await bench.gone(domid)
    for call in calls(bench, domid):
        with refused(errno.ESRCH):
            await call()
    with refused(errno.ESRCH):
        await bench.hypervisor.destroy(domid)


def calls(bench: Bench, domid: int) -> list[Callable[[], Awaitable[object]]]:
    """All calls that take a domid, destroy aside."""
    hypervisor = bench.hypervisor
    rings = Rings(store_gfn=1, store_port=1, console_gfn=2, console_port=2)
    return [
        lambda: hypervisor.claim(domid, 4),
        lambda: hypervisor.set_affinity(domid, 0, [0], None),
        lambda: hypervisor.allow_access(domid, HostAccess(ports=[(0x3F8, 8)])),
        lambda: hypervisor.build(domid, bench.image()),
        lambda: hypervisor.unpause(domid),
        lambda: hypervisor.pause(domid),
        lambda: hypervisor.shutdown(domid, 0),
        lambda: hypervisor.hears(domid),
        lambda: hypervisor.set_max_memory(domid, 4),
        lambda: hypervisor.soft_reset(domid, rings),
        lambda: hypervisor.save(domid, 0, _never, Sum()),
        lambda: hypervisor.restore(domid, 0, bench.image(), Sum()),
        lambda: hypervisor.resume(domid),
        lambda: hypervisor.vcpus(domid),
        lambda: hypervisor.dump_core(domid, str(bench.place / "none")),
        lambda: hypervisor.open_console(domid, 0, 1),
        lambda: hypervisor.node_affinity(domid),
        lambda: hypervisor.move_domain(domid, 0),
        lambda: hypervisor.parameters(domid),
        lambda: hypervisor.set_parameters(domid, CreditParameters(weight=1, cap=0)),
        lambda: hypervisor.vcpu_parameters(domid),
        lambda: hypervisor.send_trigger(domid, "nmi", 0),
    ]


async def _never() -> None:
    raise AssertionError("what is not there is not asked to suspend")
