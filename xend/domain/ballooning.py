"""Memory that dom0 gives to a domain that needs it: `autoballoon` of xl.conf(5), as xl and libxl have it.

Sources: tools/xl/xl_vmcontrol.c (freemem), tools/xl/xl.c (auto_autoballoon), tools/libs/light/libxl_mem.c
"""

import re

import trio

from xend.config import DomainConfig
from xend.device.nodes import value_of
from xend.domain import nodes
from xend.domain.memory import MIN_DOM0_KIB
from xend.domain.target import DOM0
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import HostInfo
from xend.operation.steps import Work
from xend.refusals import explained

#: How long dom0 may stand still on its way down, and how long others may take what it gave, in seconds.
STILL_SECONDS, IN_ALL_SECONDS = 10.0, 30.0
_LOOK_SECONDS = 0.2
#: What Xen needs for a domain beside its memory (LIBXL_PV_EXTRA_MEMORY, LIBXL_HVM_EXTRA_MEMORY), in KiB.
_EXTRA_KIB = {"pv": 1024}
_OTHERS_EXTRA_KIB = 2048
_ROUND_KIB = 2048
_SIZE = r"-?[0-9]+[bkmgt]?"
#: Xen was told what dom0 has.
_DOM0_MEM = re.compile(
    rf"(?:^|\s)dom0_mem=(?:(?:min:|max:)?(?:(?:{_SIZE}\+)?[0-9]{{1,2}}%|{_SIZE}),?)+(?:$|\s)", re.IGNORECASE
)


def balloons(host: Host, info: HostInfo) -> bool:
    """Whether dom0 gives memory to domains that need it."""
    asked = host.settings.autoballoon
    return asked == "on" or (asked == "auto" and not _DOM0_MEM.search(info.xen_commandline))


async def spare_kib(host: Host, info: HostInfo) -> int:
    """How much dom0 could give, in KiB; 0: it gives nothing.

    Raises:
        XendError: hypervisor_failed.
    """
    return max(0, await _dom0_kib(host) - MIN_DOM0_KIB) if balloons(host, info) else 0


def needed_kib(config: DomainConfig) -> int:
    """What the host has to have free for a domain, in KiB, its page tables included."""
    paging_kib = 4 * (256 * config.max_vcpus + config.max_memory_kib // 1024)
    if config.hardware.shadow_mib is not None:
        paging_kib = 1024 * config.hardware.shadow_mib
    needed = config.memory_kib + paging_kib + _EXTRA_KIB.get(config.type, _OTHERS_EXTRA_KIB)
    return -(-needed // _ROUND_KIB) * _ROUND_KIB


async def make_room(host: Host, work: Work, config: DomainConfig) -> None:
    """Have dom0 give up memory until there is enough for a domain; nothing where there is, or it gives none.

    Whoever calls it holds `Host.making_room`, until what was found is taken.  What dom0 gave stays given.

    Raises:
        XendError: no_answer: dom0 does not shrink; out_of_memory: it has too little, or others took it.
    """
    needed = needed_kib(config)
    until = trio.current_time() + IN_ALL_SECONDS
    while True:
        with explained("ask for the host's memory", config.name):
            info = await host.hypervisor.host_info()
        if info.free_memory_kib >= needed or not balloons(host, info):
            return
        if trio.current_time() >= until:
            raise _refusal(config, f"Domain-0 gave up memory for {IN_ALL_SECONDS:g} s, and others took it")
        lacking = needed - info.free_memory_kib
        target = await _asked_kib(host) - lacking
        if target < MIN_DOM0_KIB:
            raise _refusal(
                config,
                f"it needs {needed >> 10} MiB with its page tables, {info.free_memory_kib >> 10} MiB are "
                f"free, and Domain-0 would be left with less than {MIN_DOM0_KIB >> 10} MiB",
            )
        with explained("ask Domain-0 for memory", config.name):
            await nodes.set_memory_target(host.store, DOM0, target)
        host.publish("domain", "memory", domid=DOM0, name="Domain-0", target_kib=target)
        await _shrunk(host, work, config, target)


async def _shrunk(host: Host, work: Work, config: DomainConfig, target_kib: int) -> None:
    """Wait until dom0 has no more than that, for as long as it comes nearer."""
    while (has := await _dom0_kib(host)) > target_kib:
        what = (
            f"Domain-0 to give memory to {config.name}: from {has >> 10} MiB down to {target_kib >> 10} MiB"
        )
        try:
            with work.waiting(what, STILL_SECONDS):
                while await _dom0_kib(host) >= has:  # noqa: ASYNC110 - nobody tells of it
                    await trio.sleep(_LOOK_SECONDS)
        except XendError as error:
            raise error.annotated(
                domain=config.name,
                hint="its kernel needs a balloon driver; xl mem-set 0 is another way, and dom0_mem= on the "
                'hypervisor\'s command line, or autoballoon="off" in xl.conf, leaves it as it is',
            ) from None


async def _dom0_kib(host: Host) -> int:
    """What it has."""
    with explained("look at Domain-0", "Domain-0"):
        info = await host.hypervisor.domain(DOM0)
    return 0 if info is None else info.memory_kib + info.outstanding_kib


async def _asked_kib(host: Host) -> int:
    """What it has, or less where it is on its way down to that."""
    with explained("ask for the memory of Domain-0", "Domain-0"):
        value = await value_of(host.store, f"{nodes.home(DOM0)}/memory/target")
    has = await _dom0_kib(host)
    return min(has, int(value[:12])) if value is not None and value.isdigit() else has


def _refusal(config: DomainConfig, why: str) -> XendError:
    return XendError(
        "out_of_memory",
        f"no memory for {config.name}: {why}",
        domain=config.name,
        hint="destroy a domain, or give one less memory: xl mem-set",
    )
