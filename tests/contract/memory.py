"""Memory of domains: claimed, given, bounded, and written to a file."""

import errno

from tests.contract.bench import Bench, printed, refused


async def claims(bench: Bench) -> None:
    """Nobody else gets what was claimed; it is free again with the domain."""
    free, claimed = await bench.free_kib(), (await bench.hypervisor.host_info()).outstanding_claims_kib
    domid = await bench.create()
    await bench.hypervisor.claim(domid, bench.memory_kib - 3)
    info = await bench.info(domid)
    assert info.outstanding_kib == bench.memory_kib
    assert bench.is_about(info.memory_kib, 0)
    assert bench.is_about(await bench.free_kib(), free - bench.memory_kib)
    host = await bench.hypervisor.host_info()
    assert host.outstanding_claims_kib == claimed + bench.memory_kib
    large = await bench.create(max_memory_kib=2 * free)
    with refused(errno.ENOMEM):
        await bench.hypervisor.claim(large, free)
    assert (await bench.info(large)).outstanding_kib == 0
    assert bench.is_about(await bench.free_kib(), free - bench.memory_kib)
    with refused(errno.EINVAL):
        await bench.hypervisor.claim(await bench.create(), bench.memory_kib + 8 * 1024)
    await bench.hypervisor.destroy(domid)
    await bench.is_free(free)


async def memory(bench: Bench) -> None:
    """A build takes what was claimed; without a claim it takes what is free."""
    free = await bench.free_kib()
    domid, _ = await bench.built()
    info = await bench.info(domid)
    assert bench.is_about(info.memory_kib, bench.memory_kib)
    assert info.outstanding_kib == 0
    assert bench.is_about(await bench.free_kib(), free - bench.memory_kib)
    unclaimed = await bench.create()
    await bench.hypervisor.build(unclaimed, bench.image())
    assert bench.is_about((await bench.info(unclaimed)).memory_kib, bench.memory_kib)
    await bench.hypervisor.destroy(unclaimed)
    large = bench.blueprint(max_memory_kib=4 * free)
    too_large = await bench.hypervisor.create(large)
    with refused(errno.ENOMEM):
        await bench.hypervisor.build(too_large, bench.image(blueprint=large, memory_kib=4 * free))
    await bench.hypervisor.destroy(too_large)
    await bench.hypervisor.destroy(domid)
    await bench.is_free(free)


async def less_memory_at_first(bench: Bench) -> None:
    blueprint = bench.blueprint(max_memory_kib=bench.memory_kib + 8 * 1024)
    domid = await bench.hypervisor.create(blueprint)
    await bench.hypervisor.claim(domid, bench.memory_kib)
    await bench.hypervisor.build(domid, bench.image(blueprint=blueprint))
    info = await bench.info(domid)
    assert bench.is_about(info.memory_kib, bench.memory_kib)
    assert info.max_memory_kib >= bench.memory_kib + 8 * 1024


async def max_memory(bench: Bench) -> None:
    domid, _ = await bench.built()
    await bench.hypervisor.set_max_memory(domid, 8 * 1024)
    info = await bench.info(domid)
    assert bench.is_about(info.memory_kib, bench.memory_kib)
    assert bench.is_about(info.max_memory_kib, 8 * 1024)
    other = await bench.create()
    await bench.hypervisor.set_max_memory(other, 8 * 1024)
    with refused(errno.EINVAL):
        await bench.hypervisor.claim(other, bench.memory_kib)
    await bench.hypervisor.set_max_memory(other, bench.memory_kib)
    await bench.hypervisor.claim(other, bench.memory_kib)


async def cores(bench: Bench) -> None:
    """Of a domain that has booted as far as that it says something."""
    domid, rings = await bench.built()
    with await bench.hypervisor.open_console(domid, rings.console_gfn, rings.console_port) as console:
        await bench.hypervisor.unpause(domid)
        await printed(console)
    files = bench.place / "cores"
    files.mkdir()
    await bench.hypervisor.dump_core(domid, str(files / "core"))
    assert not (await bench.info(domid)).is_paused
    with (files / "core").open("rb") as core:
        assert core.read(4) == b"\x7fELF"
    before = (files / "core").stat()
    assert before.st_mode & 0o077 == 0
    with refused(errno.EEXIST):
        await bench.hypervisor.dump_core(domid, str(files / "core"))
    with refused(errno.ENOENT, errno.EACCES):
        await bench.hypervisor.dump_core(domid, str(files / "none" / "core"))
    assert [each.name for each in files.iterdir()] == ["core"]
    after = (files / "core").stat()
    assert [after.st_ino, after.st_size, after.st_mtime_ns] == [
        before.st_ino,
        before.st_size,
        before.st_mtime_ns,
    ]
