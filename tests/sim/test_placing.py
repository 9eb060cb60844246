"""Where a domain runs, what it may have and touch: from its configuration to the hypervisor."""

import os
import time

import attrs
import pytest
import trio

from tests.sim.world import World, play
from xenclient.store.perms import Perm
from xend.config.defaults import Defaults
from xend.config.domain import parse
from xend.config.terms import Clock
from xend.domain.blueprint import clock_offset_s
from xend.errors import XendError
from xend.hypervisor import Blueprint, HostAccess
from xend.hypervisor.scheduling import CreditParameters
from xenstore.limits import QUOTAS

PLAIN = "vcpus=2"
EXAMPLE_OTHER = 'name = "b"\nkernel = "/netbsd"\n'


async def affinities(world: World, domid: int) -> list[tuple[list[int], list[int]]]:
    """Hard and soft, of each virtual CPU."""
    vcpus = await world.host.vcpus(domid)
    return [(list(each.hard_affinity), list(each.soft_affinity)) for each in vcpus]


ALL = [0, 1, 2, 3]
AFFINITIES = [
    (["cpus='1-2'"], [([1, 2], ALL)] * 2),
    (["cpus='0-3,^1,9'"], [([0, 2, 3], ALL)] * 2),
    (["cpus=['3']"], [([3], ALL), (ALL, ALL)]),
    (["cpus='all'", "cpus_soft=[0, '2,3']"], [(ALL, [0]), (ALL, [2, 3])]),
    (["cpus='node:0,^3'"], [([0, 1, 2], ALL)] * 2),
    (["cpus='nodes:all'"], [(ALL, ALL)] * 2),
]


@pytest.mark.parametrize(("extra", "expected"), AFFINITIES)
def test_virtual_cpus_run_where_the_configuration_says(
    extra: list[str], expected: list[tuple[list[int], list[int]]]
) -> None:
    async def body(world: World) -> None:
        domid = await world.create(extra=[PLAIN, *extra])
        assert await affinities(world, domid) == expected
        await world.call("domain.reboot", domain="example", wait=True)
        assert await affinities(world, domid + 1) == expected

    play(body)


@pytest.mark.parametrize(("pool", "number"), [("fast", 1), ("1", 1), ("Pool-0", 0), ("0", 0), ("Pool-2", 2)])
def test_a_pool_is_found_by_name_or_number(pool: str, number: int) -> None:
    async def body(world: World) -> None:
        await world.client.write("/local/pool/1/name", "two\nlines")  # which no row of a table can have
        assert (await world.call("pool.list", pool="1"))[0]["name"] == "Pool-1"
        await world.client.write("/local/pool/1/name", "fast")
        domid = await world.create(extra=[f'pool="{pool}"'])
        assert [each.number for each in await world.host.pools() if each.domains == 1 + (not number)] == (
            [number] if number == 0 else [0, number]
        )
        assert await affinities(world, domid) == [(ALL, ALL)]  # its pool bounds it
        assert [each.cpu in ([0, 1], [3], [2])[number] for each in await world.host.vcpus(domid)] == [True]

    play(body, pool_cpus=(1, 1))


REFUSED = [
    (["pool='none'"], "bad_config",
     'pool = "none": there is no such CPU pool; there are: Pool-0 (0), Pool-1 (1)'),
    (["pool='7'"], "bad_config", 'pool = "7": there is no such CPU pool; there are: Pool-0 (0), Pool-1 (1)'),
    (["cpus='9'"], "bad_config", 'cpus = "9": the CPU pool 0 has none of these CPUs; it has 0, 1, 2'),
    (["cpus_soft='3'"], "bad_config",
     'cpus_soft = "3": the CPU pool 0 has none of these CPUs; it has 0, 1, 2'),
    (["pool='1'", "cpus='0'"], "bad_config", 'cpus = "0": the CPU pool 1 has none of these CPUs; it has 3'),
    (["max_grant_frames=65"], "hypervisor_failed", "cannot create a domain"),
    (["max_maptrack_frames=4096"], "hypervisor_failed", "cannot create a domain"),
    (["vpmu=1"], "unsupported",
     "vpmu: this host cannot do that: vpmu is not among the virt_caps of xl info (pv hvm hap)"),
    (["type='pvh'", "hap=0"], "unsupported",
     "this host runs no pvh domains: shadow not among the virt_caps of xl info (pv hvm hap)"),
    (["xenstore_quota=['frob=1']"], "bad_config",
     "xenstore_quota holds frob, expected one of QUOTAS"),
    (["xenstore_feature_mask=64"], "bad_config",
     "xenstore_feature_mask = 0x40: this xenstored offers 0xf; expected some of these bits, or none"),
    (["irqs=[60000]"], "hypervisor_failed", "cannot let it touch the host's hardware"),
    (["memory=1000000"], "out_of_memory", "it needs 1000000 MiB, the whole host has 4096 MiB"),
    (["memory=4000"], "out_of_memory", "it needs 4000 MiB, 3552 MiB are free"),
]  # fmt: skip


@pytest.mark.parametrize(("extra", "code", "message"), REFUSED)
def test_what_a_host_has_not_is_refused_and_leaves_nothing(extra: list[str], code: str, message: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        with pytest.raises(XendError) as caught:
            await world.create(extra=extra)
        expected = message.replace("QUOTAS", ", ".join(quota.name for quota in QUOTAS))
        assert (caught.value.code, caught.value.message) == (code, expected)
        assert await world.snapshot() == before

    play(body, pool_cpus=(1,))


@pytest.mark.parametrize(
    ("caps", "guest", "lacking"),
    [(("pv",), "pvh", "hvm and hap"), (("pv", "hvm"), "pvh", "hap"), (("hvm", "hap"), "pv", "pv")],
)
def test_a_type_that_a_host_does_not_run_is_refused_with_what_it_lacks(
    caps: tuple[str, ...], guest: str, lacking: str
) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        with pytest.raises(XendError) as caught:
            await world.create(extra=[f'type="{guest}"'])
        assert caught.value.code == "unsupported"
        assert caught.value.message == (
            f"this host runs no {guest} domains: {lacking} not among the virt_caps of xl info "
            f"({' '.join(caps)})"
        )
        assert await world.snapshot() == before

    play(body, virt_caps=caps)


def test_what_it_is_granted_in_every_life() -> None:
    """Its share of the CPUs, its clock, what its processor is like, and its terms with the store."""

    async def body(world: World) -> None:
        extra = [
            "type='pvh'", "cpu_weight=512", "cap=80", "extratime=0", "rtc_timeoffset='-7200'",
            "msr_relaxed=1", "nestedhvm=1", "shadow_memory=16", "cpuid='host,htt=0,rdcl-no=k'",
            "xenstore_quota=['nodes=77']",
            "xenstore_feature_mask=2", "xend_suspend_evtchn_compat=1", "vpmu=1", "vmtrace_buf_kb=64",
        ]  # fmt: skip
        domid = await world.create(extra=extra)
        for life in (domid, domid + 1):
            assert await world.host.parameters(life) == CreditParameters(weight=512, cap=80)
            image = world.host._domains[life].image
            assert image is not None
            made = image.blueprint
            assert (made.clock_offset_s, made.is_msr_relaxed, made.has_nested_virt) == (-7200, True, True)
            assert (made.paging_kib, made.has_vpmu, made.trace_kib) == (16 << 10, True, 64)
            assert image.cpuid == ((1, None, ("", "", "", "xxx0" + "x" * 28)),)
            assert image.arch_capabilities == "x" * 63 + "k"
            assert await world.client.get_quota("nodes", life) == 77
            assert await world.client.get_feature(life) == 2
            device = f"/local/domain/{life}/device"
            assert await world.client.get_perms(device) == (Perm("n", life),)
            assert "suspend" not in await world.client.directory(device)
            if life == domid:
                await world.call("domain.reboot", domain="example", wait=True)
        build = (await world.call("domain.config", domain="example"))["config"]["b_info"]
        assert build["sched_params"] == {"weight": 512, "cap": 80, "extratime": 0}
        assert (build["rtc_timeoffset"], build["shadow_memkb"]) == (2**32 - 7200, 16 << 10)

    play(body, virt_caps=("pv", "hvm", "hap", "vmtrace", "vpmu"))


def test_a_parameter_that_the_scheduler_has_not_is_a_warning() -> None:
    async def body(world: World) -> None:
        answer = await world.call("domain.create", text=EXAMPLE_OTHER, extra=["period=5", "cap=0"])
        (warning,) = answer["warnings"]
        assert warning["message"].startswith("period of the configuration has no effect: the scheduler")

    play(body)


def test_local_time_is_that_of_each_beginning() -> None:
    config = parse("kernel='/x'; localtime=1; rtc_timeoffset=5", source="a", name="a")
    now = 1_700_000_000.0
    assert clock_offset_s(config, now) == 5 + (time.localtime(now).tm_gmtoff or 0)
    assert clock_offset_s(attrs.evolve(config, clock=Clock(offset_s=5)), now) == 5


def test_what_it_may_touch_of_the_host() -> None:
    async def body(world: World) -> None:
        extra = ["ioports=['2f8-2ff']", "irqs=[5]", "iomem=['fe000,8', 'fe100,1@20']"]
        domid = await world.create(extra=extra)
        (access,) = world.host._domains[domid].access
        assert access == HostAccess(
            memory=[(0xFE000, 8, 0xFE000), (0xFE100, 1, 0x20)], ports=((0x2F8, 8),), irqs=(5,)
        )
        steps = (await world.call("domain.create", text=EXAMPLE_OTHER, dry_run=True))["steps"]
        assert "let it touch the host's hardware" not in steps

    play(body)


@pytest.mark.parametrize("what", ["kernel", "ramdisk"])
def test_a_kernel_or_ramdisk_that_is_no_file_is_refused(what: str) -> None:
    async def body(world: World) -> None:
        os.mkfifo(world.directory / "root/fifo")
        before = await world.snapshot()
        for path, kind in (("/fifo", "a FIFO"), ("/", "a directory")):
            with pytest.raises(XendError, match=f"^{what} .* is {kind}, a regular file was expected"):
                await world.create(extra=[f'{what}="{path}"'])
        assert await world.snapshot() == before

    play(body)


def test_one_that_was_not_built_is_not_unpaused() -> None:
    async def body(world: World) -> None:
        uuid = "6d4155f3-15e9-4224-878a-25d6a84e867c"
        domid = await world.host.create(Blueprint(uuid=uuid, max_vcpus=1, max_memory_kib=4096))
        with pytest.raises(XendError, match="has no kernel yet: who makes it is still at it, or died"):
            await world.call("domain.unpause", domain=domid)
        info = await world.host.domain(domid)
        assert info is not None
        assert info.is_paused

    play(body)


def test_a_pvh_domain_begins_with_less_memory_than_it_may_have() -> None:
    async def body(world: World) -> None:
        domid = await world.create(extra=["type='pvh'", "memory=32", "maxmem=64"])
        info = await world.host.domain(domid)
        assert info is not None
        assert (info.memory_kib, info.outstanding_kib) == (32 << 10, 0)
        assert info.max_memory_kib == 32 << 10  # it takes no more by itself, as under libxl
        (listed,) = await world.call("domain.list", domain="example")
        assert listed["max_memory_kib"] == 64 << 10
        await world.call("domain.set_memory", domain="example", target_kib=64 << 10)
        info = await world.host.domain(domid)
        assert info is not None
        assert info.max_memory_kib == 64 << 10

    play(body)


def test_what_xl_conf_says_of_all_domains() -> None:
    async def body(world: World) -> None:
        net = await world.create(
            extra=["name='net'", "driver_domain=1", "extra='sim=driver-domain'", "vif=[]", "disk=[]"]
        )
        await trio.sleep(5)  # until it serves
        world.claims_memory = False
        world.defaults = Defaults(
            vif_bridge="br7", vif_backend="net", max_grant_frames=8, cpumask="0-2", pv_cpumask="1-3"
        )
        await world.kill_xend()
        await world.start_xend()
        domid = await world.create(extra=["vif=['','backend=0,bridge=own']", PLAIN])
        assert await affinities(world, domid) == [([1, 2], ALL)] * 2
        assert await world.client.read(f"/local/domain/{net}/backend/vif/{domid}/0/bridge") == b"br7"
        assert await world.client.read(f"/local/domain/0/backend/vif/{domid}/1/bridge") == b"own"
        build = (await world.call("domain.config", domain="example"))["config"]["b_info"]
        assert (build["max_grant_frames"], build["vcpu_hard_affinity"]) == (8, [[1, 2]] * 2)
        await world.call("device.attach", domain="example", kind="vif", spec="devid=5")
        assert await world.client.read(f"/local/domain/{net}/backend/vif/{domid}/5/bridge") == b"br7"

        # It keeps them through another xend, and in its next life.
        world.defaults = Defaults()
        await world.kill_xend()
        await world.start_xend()
        await world.call("domain.reboot", domain="example", wait=True)
        assert await affinities(world, domid + 1) == [([1, 2], ALL)] * 2
        assert await world.client.read(f"/local/domain/{net}/backend/vif/{domid + 1}/5/bridge") == b"br7"
        await world.call("domain.destroy", domain="example")

        world.defaults = Defaults(cpumask="0")
        await world.kill_xend()
        await world.start_xend()
        with pytest.raises(XendError, match='lets pv domains run on the CPUs "0" only, this one is to'):
            await world.create(extra=["cpus='1-2'"])
        free = await world.create(extra=["cpus='1-2'"], ignore_masks=True)
        assert await affinities(world, free) == [([1, 2], ALL)]
        await world.call("domain.pin_vcpus", domain="example", hard="0-1")
        assert await affinities(world, free) == [([0], ALL)]
        with pytest.raises(XendError, match='lets pv domains run on the CPUs "0" only'):
            await world.call("domain.pin_vcpus", domain="example", hard="3")
        await world.call("domain.pin_vcpus", domain="example", hard="3", ignore_masks=True)
        assert await affinities(world, free) == [([3], ALL)]

    play(body)
