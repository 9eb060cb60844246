"""CPU pools by their names, which the store has: the hypervisor knows them by number."""

from collections.abc import Mapping
from typing import Any

from xend.device.nodes import value_of
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import CpuPool
from xend.refusals import explained
from xenstore.daemon.text import one_line

#: Where the store has them: POOLS/N/name, as libxl writes it.
POOLS = "/local/pool"
#: What a hypervisor may have (XEN_SCHEDULER_*, xen/include/public/domctl.h).
SCHEDULERS = ("credit", "credit2", "rtds", "null", "arinc653")


async def pool_names(host: Host) -> dict[int, str]:
    """The name of each pool, by its number; Pool-N where the store has none that can be printed.

    Raises:
        XendError: hypervisor_failed, store_failed.
    """
    names = {}
    with explained("look at the CPU pools", "this host"):
        for pool in await host.hypervisor.pools():
            value = await value_of(host.store, f"{POOLS}/{pool.number}/name")
            text = "" if value is None else value.decode("utf-8", "replace")
            # One with a line end would make two lines of a row, and could not be typed.
            names[pool.number] = text if text.isprintable() and text else f"Pool-{pool.number}"
    return names


def number_named(names: Mapping[int, str], text: str) -> int | None:
    """The number of the pool that a text means: its name, or its number; None: there is no such."""
    for number, name in names.items():  # a name that is a number is a name first
        if name == text:
            return number
    is_number = text.isascii() and text.isdigit() and int(text[:9]) in names
    return int(text[:9]) if is_number else None


def listed(names: Mapping[int, str]) -> str:
    """All of them, for an error."""
    return ", ".join(f"{one_line(name)} ({number})" for number, name in names.items())


async def find_pool(host: Host, text: str) -> CpuPool:
    """The pool of this name or number.

    Raises:
        XendError: no_such_pool, hypervisor_failed, store_failed.
    """
    names = await pool_names(host)
    number = number_named(names, text)
    with explained("look at the CPU pools", "this host"):
        for pool in await host.hypervisor.pools():
            if pool.number == number:
                return pool
    raise XendError(
        "no_such_pool",
        f"there is no CPU pool {one_line(text)}; there are: {listed(names)}",
        hint="xl cpupool-list shows them",
    )


async def pools_of(host: Host, text: str | None) -> list[CpuPool]:
    """The pool of this name or number; None: all pools.

    Raises:
        XendError: no_such_pool, hypervisor_failed, store_failed.
    """
    if text is not None:
        return [await find_pool(host, text)]
    with explained("look at the CPU pools", "this host"):
        return await host.hypervisor.pools()


def pool_map(pool: CpuPool, names: Mapping[int, str]) -> dict[str, Any]:
    """As pool.list of docs/bus.md has one; names: by number."""
    return {
        "number": pool.number,
        "name": names.get(pool.number, f"Pool-{pool.number}"),
        "scheduler": pool.scheduler,
        "domains": pool.domains,
        "cpus": list(pool.cpus),
    }
