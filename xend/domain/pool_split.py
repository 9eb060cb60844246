"""pool.split: one CPU pool for each NUMA node of the host.

The first pool keeps the CPUs of the node with the lowest CPU, and dom0 with them; each further node gets one.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import trio

from xend.device.nodes import texts as read_texts
from xend.domain import nodes
from xend.domain.host_cpus import host_cpus
from xend.errors import XendError
from xend.host import Host
from xend.refusals import explained

#: How long dom0's kernel may take to give up vCPUs, in seconds, and how often that is looked at.
OFFLINE_SECONDS, LOOK_SECONDS = 10.0, 0.5

Namer = Callable[[int, str], Awaitable[None]]
Maker = Callable[[str, str, Sequence[int]], Awaitable[int]]
Ender = Callable[[int], Awaitable[None]]


async def split(
    host: Host, dry_run: bool, name_pool: Namer, make_pool: Maker, end_pool: Ender
) -> list[dict[str, Any]]:
    """The pools there are then, [{pool, name, cpus}]; a dry run's have no number but the first's.

    Where one of them cannot be made, all is as it was.

    name_pool: gives a pool a name.  make_pool: makes one of a name, with a scheduler and CPUs.
    end_pool: ends it.

    Raises:
        XendError: wrong_state: there are several pools already, or dom0 keeps its vCPUs.
    """
    hypervisor = host.hypervisor
    with explained("look at the CPU pools", "this host"):
        pools = await hypervisor.pools()
    if len(pools) > 1:
        raise XendError(
            "wrong_state",
            f"cannot split the host: it has {len(pools)} CPU pools already",
            hint="xl cpupool-destroy ends one",
        )
    cpus = {node: sorted(found) for node, found in enumerate((await host_cpus(host)).nodes) if found}
    order = sorted(cpus, key=lambda node: cpus[node][0])
    rows: list[dict[str, Any]] = [
        {"pool": None, "name": f"Pool-node{node}", "cpus": cpus[node]} for node in order
    ]
    rows[0]["pool"] = 0
    if dry_run:
        return rows
    given_up = await _shrink_dom0(host, len(cpus[order[0]]))
    try:
        for row in rows[1:]:
            with explained(f"take the CPUs of {row['name']} out of the first CPU pool"):
                for cpu in row["cpus"]:
                    if cpu in pools[0].cpus:
                        await hypervisor.remove_cpu(0, cpu)
            row["pool"] = await make_pool(row["name"], pools[0].scheduler, row["cpus"])
        with explained("name the first CPU pool", "this host"):
            await name_pool(0, rows[0]["name"])
    except BaseException:
        with trio.CancelScope(shield=True):
            for row in rows[1:]:
                if row["pool"] is not None:
                    await end_pool(row["pool"])
            await _give_back(host, pools[0].cpus, given_up)
        raise
    return rows


async def _give_back(host: Host, cpus: Sequence[int], given_up: Mapping[str, str]) -> None:
    """Put CPUs that are free into the first pool again, and let dom0 use the vCPUs that it gave up."""
    with explained("put CPUs back into the first CPU pool"):
        for cpu in await host.hypervisor.free_cpus():
            if cpu in cpus:
                await host.hypervisor.add_cpu(0, cpu)
    with explained("let Domain-0 use its vCPUs again"):
        await nodes.write_or_remove(host.store, nodes.home(0), given_up)


async def _shrink_dom0(host: Host, cpus: int) -> dict[str, str]:
    """Have dom0 use no more vCPUs than its pool has CPUs, as libxl does; returns the words that
    undo it."""
    with explained("look at Domain-0", "Domain-0"):
        info = await host.hypervisor.domain(0)
        assert info is not None
        if info.vcpus <= cpus:
            return {}
        keys = [f"cpu/{number}/availability" for number in range(info.max_vcpus)]
        found = await read_texts(host.store, nodes.home(0), keys)
        # Without a word in the store a kernel would leave a vCPU as it is.
        before = {key: found.get(key) or "online" for key in keys}
        words = {key: "online" if number < cpus else "offline" for number, key in enumerate(keys)}
        await nodes.write_or_remove(host.store, nodes.home(0), words)
        with trio.move_on_after(OFFLINE_SECONDS):
            while info is not None and info.vcpus > cpus:
                await trio.sleep(LOOK_SECONDS)
                info = await host.hypervisor.domain(0)
        if info is None or info.vcpus <= cpus:
            return before
        await nodes.write_or_remove(host.store, nodes.home(0), before)
    raise XendError(
        "no_answer",
        f"Domain-0 uses {info.vcpus} vCPUs, and did not give up those beyond {cpus} within "
        f"{OFFLINE_SECONDS:g} s",
        domain="Domain-0",
        waited_s=OFFLINE_SECONDS,
        hint="take them offline within dom0, then split again",
    )
