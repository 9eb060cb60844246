"""scheduling.list and pool.set_scheduling: what share of the CPUs domains have, by CPU pool."""

from typing import Any

import attrs

from xend.bus.kinds import FLAG, NUMBER, TEXT, choice
from xend.bus.methods import Call, Method, optional, required
from xend.domain.pools import SCHEDULERS, find_pool, pool_map, pool_names, pools_of
from xend.domain.scheduling import read_scheduling
from xend.domain.target import Target
from xend.domain.targets import Targets
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor.scheduling import PoolParameters, range_complaint
from xend.refusals import explained
from xenstore.daemon.text import one_line

Result = dict[str, Any]


class SchedulingCalls:
    """The methods, over a host."""

    def __init__(self, host: Host, targets: Targets) -> None:
        self._host = host
        self._targets = targets

    def methods(self) -> list[Method]:
        """Both of them."""
        listing = {"scheduler": optional(choice(*SCHEDULERS)), "pool": optional(TEXT)}
        settings = {name: optional(NUMBER) for name in attrs.fields_dict(PoolParameters)}
        change = {"pool": required(TEXT), **settings, "dry_run": optional(FLAG)}
        return [
            Method("scheduling.list", "read", listing, self.list_),
            Method("pool.set_scheduling", "operate", change, self.set_),
        ]

    async def list_(self, call: Call, scheduler: str | None = None, pool: str | None = None) -> list[Result]:
        found = [each for each in await pools_of(self._host, pool) if scheduler in (None, each.scheduler)]
        names = await pool_names(self._host)
        domains = [each for each in await self._targets.all() if isinstance(each, Target)]
        result = []
        for each in found:
            inside = [domain for domain in domains if domain.info.pool == each.number]
            rows = [row for domain in inside if (row := await self._row(domain)) is not None]
            parameters = attrs.asdict(await self._parameters(each.number))
            result.append({**pool_map(each, names), "parameters": parameters, "members": rows})
        return result

    async def _row(self, domain: Target) -> Result | None:
        """None: it ended meanwhile."""
        if domain.info.is_dying:
            return None
        try:
            return await read_scheduling(self._host, domain)
        except XendError as error:
            if error.code == "guest_died":
                return None
            raise

    async def _parameters(self, pool: int) -> PoolParameters:
        with explained("ask how a CPU pool is scheduled", "this host"):
            return await self._host.hypervisor.pool_parameters(pool)

    async def set_(self, call: Call, pool: str, dry_run: bool = False, **settings: int) -> Result:
        found = await find_pool(self._host, pool)
        now = attrs.asdict(await self._parameters(found.number))
        for name, value in settings.items():
            if now[name] is None:
                raise XendError(
                    "wrong_state",
                    f"the CPU pool {one_line(pool)} has the scheduler {found.scheduler}, without {name}",
                )
            if (complaint := range_complaint(name, value)) is not None:
                raise XendError("bad_request", f"the CPU pool {one_line(pool)}: {complaint}")
        if settings and not dry_run:
            with explained(f"change how the CPU pool {one_line(pool)} is scheduled"):
                await self._host.hypervisor.set_pool_parameters(found.number, PoolParameters(**settings))
        return {"pool": found.number, **now, **settings}
