"""domain.set_pool: in which CPU pool a domain runs."""

import attrs

from xend.domain.lasting import LastingFacts, lasting, record_step
from xend.domain.pools import find_pool, pool_names
from xend.domain.target import Target
from xend.errors import XendError
from xend.host import Host
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.validators import count


@attrs.define(kw_only=True)
class PoolFacts(LastingFacts):
    """Those of domain.set_pool.

    Attributes:
        pool, old_pool: the numbers of the pool in which it is to run, and of that in which it ran.
    """

    KIND = "domain.set_pool"

    pool: int = attrs.field(validator=count)
    old_pool: int = attrs.field(validator=count)


async def prepare_pool(host: Host, target: Target, pool: str) -> PoolFacts:
    """Raises: XendError: no_such_pool; wrong_state: the pool has no CPU."""
    found = await find_pool(host, pool)
    name = (await pool_names(host))[found.number]
    if not found.cpus:
        raise XendError(
            "wrong_state",
            f"{target.name} cannot run in the CPU pool {name}: it has no CPU",
            domain=target.name,
            hint=f"xl cpupool-cpu-add {name} CPU",
        )
    # What was pinned may run on all CPUs of the new pool; the numbers of the old one's would mean nothing.
    said = {"pool": _as_value(found.number, name), "cpus": '"all"', "cpus_soft": '"all"'}
    return PoolFacts(
        **target.identity,
        pool=found.number,
        old_pool=target.info.pool,
        **lasting(target, said),
    )


def _as_value(number: int, name: str) -> str:
    """What the option `pool` is given: the name, in quotes that it has not, or else the number."""
    quote = next((each for each in "\"'" if each not in name), None)
    return f'"{number}"' if quote is None or "\\" in name else f"{quote}{name}{quote}"


def pool_steps(host: Host, facts: PoolFacts) -> list[Step]:
    domid = facts.domid

    async def move(work: Work) -> None:
        with explained("move it to another CPU pool", facts.name):
            await host.hypervisor.move_domain(domid, facts.pool)

    async def move_back(work: Work) -> None:
        with explained("move it back to its CPU pool", facts.name):
            await host.hypervisor.move_domain(domid, facts.old_pool)

    return [Step("move", "move it to the CPU pool", move, move_back), record_step(host, facts)]
