"""pool.*: CPU pools, but for how they are scheduled."""

import uuid as uuids
from collections.abc import Sequence
from typing import Any

import trio

from xend.bus.kinds import BYTES, FLAG, LIST_OF_BYTES, TEXT
from xend.bus.methods import Call, Method, optional, required
from xend.config.name import name_complaint
from xend.config.pool import parse_pool
from xend.device.nodes import removed, written
from xend.domain.host_cpus import host_cpus
from xend.domain.pool_split import split
from xend.domain.pools import POOLS, SCHEDULERS, find_pool, pool_map, pool_names, pools_of
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import CpuPool
from xend.refusals import explained
from xenstore.daemon.text import one_line

Result = dict[str, Any]


class PoolCalls:
    """The methods, over a host.  One that changes a pool waits for those before it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._turn = trio.Lock()

    def methods(self) -> list[Method]:
        """All of them."""
        pool, cpus, dry = {"pool": required(TEXT)}, {"cpus": required(TEXT)}, {"dry_run": optional(FLAG)}
        create = {
            "text": required(BYTES),
            "file": optional(BYTES),
            "extra": optional(LIST_OF_BYTES),
            **dry,
        }
        return [
            Method("pool.list", "read", {"pool": optional(TEXT)}, self.list_),
            Method("pool.create", "operate", create, self.create),
            Method("pool.destroy", "operate", {**pool, **dry}, self.destroy),
            Method("pool.rename", "operate", {**pool, "name": required(TEXT), **dry}, self.rename),
            Method("pool.add_cpus", "operate", {**pool, **cpus, **dry}, self.add_cpus),
            Method("pool.remove_cpus", "operate", {**pool, **cpus, **dry}, self.remove_cpus),
            Method("pool.split", "operate", dry, self.split),
        ]

    # --- looking ------------------------------------------------------------------------------------------

    async def list_(self, call: Call, pool: str | None = None) -> list[Result]:
        found = await pools_of(self._host, pool)
        names = await pool_names(self._host)
        return [pool_map(each, names) for each in found]

    # --- changing -----------------------------------------------------------------------------------------

    async def create(
        self,
        call: Call,
        text: str,
        file: str | None = None,
        extra: list[str] | None = None,
        dry_run: bool = False,
    ) -> Result:
        config = parse_pool(text, source=file or "configuration", file=file, extra=extra or [])
        if (name := config.name) is None:
            raise XendError("bad_config", "the CPU pool has no name", hint='give it one: name="NAME"')
        async with self._turn:
            await self._check_name(name)
            wanted = await self._free_cpus(config.cpus, config.of_nodes)
            scheduler = config.scheduler
            if scheduler is None:
                with explained("ask for the host's scheduler", "this host"):
                    scheduler = (await self._host.hypervisor.host_info()).xen_scheduler
            if scheduler not in SCHEDULERS:
                raise XendError(
                    "bad_request",
                    f"there is no scheduler {one_line(scheduler)!r}: {', '.join(SCHEDULERS)}",
                )
            plan = {"name": name, "scheduler": scheduler, "cpus": wanted}
            return plan if dry_run else {**plan, "pool": await self._make(name, scheduler, wanted)}

    async def _make(self, name: str, scheduler: str, cpus: Sequence[int]) -> int:
        with explained(f"make the CPU pool {name}"):
            number = await self._host.hypervisor.create_pool(scheduler)
        try:
            with explained(f"make the CPU pool {name}"):
                uuid = str(uuids.UUID(int=self._host.random.getrandbits(128), version=4))
                await self._host.store.together(*written(f"{POOLS}/{number}", {"uuid": uuid, "name": name}))
                for cpu in cpus:
                    await self._host.hypervisor.add_cpu(number, cpu)
        except BaseException:
            with trio.CancelScope(shield=True):
                await self._unmake(number)
            raise
        return number

    async def _unmake(self, number: int) -> None:
        with explained("end the CPU pool that was begun"):
            await self._host.hypervisor.destroy_pool(number)
            await self._host.store.together(removed(f"{POOLS}/{number}"))

    async def destroy(self, call: Call, pool: str, dry_run: bool = False) -> Result:
        async with self._turn:
            found = await find_pool(self._host, pool)
            name = (await pool_names(self._host))[found.number]
            if not found.number or found.domains:
                why = (
                    "it is the host's first"
                    if not found.number
                    else f"{found.domains} domain{'s run' if found.domains > 1 else ' runs'} in it"
                )
                hint = None if not found.number else "xl cpupool-migrate DOM POOL moves them"
                raise XendError("wrong_state", f"cannot destroy the CPU pool {name}: {why}", hint=hint)
            if not dry_run:
                with explained(f"destroy the CPU pool {name}"):
                    await self._host.hypervisor.destroy_pool(found.number)
                    await self._host.store.together(removed(f"{POOLS}/{found.number}"))
            return {"pool": found.number, "name": name}

    async def rename(self, call: Call, pool: str, name: str, dry_run: bool = False) -> Result:
        async with self._turn:
            found = await find_pool(self._host, pool)
            await self._check_name(name)
            if not dry_run:
                with explained(f"rename the CPU pool {pool}"):
                    await self._name(found.number, name)
            return {"pool": found.number, "name": name}

    async def add_cpus(self, call: Call, pool: str, cpus: str, dry_run: bool = False) -> Result:
        async with self._turn:
            found = await find_pool(self._host, pool)
            is_node = cpus.startswith("node")
            wanted = [
                cpu
                for cpu in await (self._free_of(cpus) if is_node else self._named(cpus))
                if cpu not in found.cpus
            ]
            return await self._each_cpu(found, wanted, dry_run, is_added=True)

    async def remove_cpus(self, call: Call, pool: str, cpus: str, dry_run: bool = False) -> Result:
        async with self._turn:
            found = await find_pool(self._host, pool)
            named = await self._named(cpus)
            wanted = [cpu for cpu in named if cpu in found.cpus]
            foreign = [cpu for cpu in named if cpu not in found.cpus]
            if not wanted or (foreign and not cpus.startswith("node")):
                names = await pool_names(self._host)
                raise XendError(
                    "bad_request",
                    f"the CPU pool {names[found.number]} has not all of the CPUs {one_line(cpus)}; it has "
                    f"{', '.join(map(str, found.cpus)) or 'none'}",
                )
            return await self._each_cpu(found, wanted, dry_run, is_added=False)

    async def _each_cpu(self, pool: CpuPool, cpus: Sequence[int], dry_run: bool, is_added: bool) -> Result:
        """Add or remove CPUs; those before one that is refused are put back."""
        hypervisor = self._host.hypervisor
        do, undo = hypervisor.add_cpu, hypervisor.remove_cpu
        if not is_added:
            do, undo = undo, do
        done: list[int] = []
        try:
            for cpu in [] if dry_run else cpus:
                with explained(f"{'add' if is_added else 'remove'} CPU {cpu}"):
                    await do(pool.number, cpu)
                done.append(cpu)
        except BaseException:
            with trio.CancelScope(shield=True):
                for cpu in done:
                    with explained(f"put CPU {cpu} back"):
                        await undo(pool.number, cpu)
            raise
        return {"pool": pool.number, "cpus": list(cpus)}

    async def split(self, call: Call, dry_run: bool = False) -> list[Result]:
        async with self._turn:
            return await split(self._host, dry_run, self._name, self._make, self._unmake)

    # --- what they share ----------------------------------------------------------------------------------

    async def _check_name(self, name: str) -> None:
        complaint = name_complaint(name, "a CPU pool's number")
        if complaint is None and len(name) > NAME_MAX:
            complaint = f"expected at most {NAME_MAX} characters"
        if complaint is not None:
            raise XendError("bad_request", f"CPU pool {one_line(name)!r}: {complaint}")
        if name in (await pool_names(self._host)).values():
            raise XendError("name_in_use", f"there is a CPU pool {name} already")

    async def _name(self, number: int, name: str) -> None:
        await self._host.store.together(*written(f"{POOLS}/{number}", {"name": name}))

    async def _named(self, text: str) -> list[int]:
        return (await host_cpus(self._host)).named(text)

    async def _free_of(self, text: str) -> list[int]:
        free = set(await self._free())
        return [cpu for cpu in await self._named(text) if cpu in free]

    async def _free(self) -> list[int]:
        with explained("ask for the free CPUs", "this host"):
            return await self._host.hypervisor.free_cpus()

    async def _free_cpus(self, text: str | None, is_of_node: bool) -> list[int]:
        """Those that are wanted for a new pool: all of them must be free, but of nodes those that are."""
        if text is None:
            return []
        wanted, free = await self._named(text), await self._free()
        found = [cpu for cpu in wanted if cpu in free]
        if not found or (len(found) < len(wanted) and not is_of_node):
            taken = ", ".join(str(cpu) for cpu in wanted if cpu not in free)
            raise XendError(
                "wrong_state",
                f"not free, as CPU pools have them: {taken}; free are {', '.join(map(str, free)) or 'none'}",
                hint="xl cpupool-cpu-remove POOL CPU takes one out of its pool",
            )
        return found


#: The longest name of a pool, in characters.
NAME_MAX = 64
