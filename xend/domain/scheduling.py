"""domain.set_scheduling: what share of the CPUs a domain has; and what is told of it."""

from typing import Any

import attrs

from xend.domain.lasting import LastingFacts, lasting, record_step
from xend.domain.target import Target
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor.scheduling import CreditParameters, Parameters, RealTimeParameters
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.validators import typed

#: Options of a configuration that say the same as parameters under credit and credit2.
_OPTIONS = {"weight": "cpu_weight", "cap": "cap"}


@attrs.define(kw_only=True)
class SchedulingFacts(LastingFacts):
    """Those of domain.set_scheduling.

    Attributes:
        new, old: its parameters, as fields of CreditParameters; or under rtds of each vCPU that is named, by
            its number as text, those of RealTimeParameters.
    """

    KIND = "domain.set_scheduling"

    new: dict[str, Any] = attrs.field(validator=typed(dict))
    old: dict[str, Any] = attrs.field(validator=typed(dict))


async def prepare_scheduling(
    host: Host,
    target: Target,
    scheduler: str,
    weight: int | None = None,
    cap: int | None = None,
    vcpus: list[dict[str, Any]] | None = None,
) -> SchedulingFacts:
    """vcpus: under rtds, [{vcpu (None: all), period_us, budget_us, extra_time}].

    Raises:
        XendError: wrong_state: it runs under another scheduler; bad_request: that is out of range, or it has
            no such vCPU.
    """
    await _check_scheduler(host, target, scheduler)
    if scheduler == "rtds":
        new, old = await _real_time(host, target, vcpus or [])
        return SchedulingFacts(**target.identity, new=new, old=old, **lasting(target, {}))
    if weight is None and cap is None:
        raise XendError("bad_request", f"{target.name}: neither weight nor cap is given", domain=target.name)
    now = await _parameters(host, target)
    assert isinstance(now, CreditParameters)
    wanted = {"weight": weight, "cap": cap}
    given = {name: value for name, value in wanted.items() if value is not None}
    changed = attrs.evolve(now, **given)
    _check_credit(target, changed)
    return SchedulingFacts(
        **target.identity,
        new=attrs.asdict(changed),
        old=attrs.asdict(now),
        **lasting(target, {_OPTIONS[name]: str(value) for name, value in given.items()}),
    )


async def scheduler_of(host: Host, target: Target) -> str:
    """The name of the scheduler of a domain's pool.

    Raises:
        XendError: hypervisor_failed.
    """
    with explained("look at its CPU pool", target.name):
        for pool in await host.hypervisor.pools():
            if pool.number == target.info.pool:
                return pool.scheduler
    raise XendError("guest_died", f"the CPU pool of {target.name} is gone", domain=target.name)


async def _check_scheduler(host: Host, target: Target, wanted: str) -> None:
    name = await scheduler_of(host, target)
    if name != wanted:
        raise XendError(
            "wrong_state",
            f"{target.name} runs under the scheduler {name}, not {wanted}",
            domain=target.name,
            hint=f"xl sched-{name} is its command" if name in ("credit", "credit2", "rtds") else None,
        )


async def _parameters(host: Host, target: Target) -> Parameters:
    with explained("ask for its share of the CPUs", target.name):
        return await host.hypervisor.parameters(target.domid)


def _check_credit(target: Target, wanted: CreditParameters) -> None:
    most = 100 * target.info.max_vcpus
    if not 1 <= wanted.weight <= 0xFFFF or not 0 <= wanted.cap <= min(most, 0xFFFF):
        raise XendError(
            "bad_request",
            f"{target.name} cannot have weight {wanted.weight} and cap {wanted.cap}: weight is 1 to 65535, "
            f"cap 0 (no bound) to {most}, a hundred for each of its {target.info.max_vcpus} vCPUs",
            domain=target.name,
        )


async def _real_time(
    host: Host, target: Target, rows: list[dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What its vCPUs are to have and have now, by number as text."""
    with explained("ask for its share of the CPUs", target.name):
        now = await host.hypervisor.vcpu_parameters(target.domid)
    new: dict[int, RealTimeParameters] = {}
    for row in rows:
        given = {name: value for name, value in row.items() if name != "vcpu" and value is not None}
        numbers = list(now) if row.get("vcpu") is None else [row["vcpu"]]
        for number in numbers:
            if number not in now:
                raise XendError(
                    "bad_request",
                    f"{target.name} has no vCPU {number}; it has {len(now)}",
                    domain=target.name,
                )
            new[number] = attrs.evolve(new.get(number, now[number]), **given)
    for number, each in new.items():
        if not 10 <= each.budget_us <= each.period_us < 1 << 32:
            raise XendError(
                "bad_request",
                f"vCPU {number} of {target.name} cannot have period {each.period_us} and budget "
                f"{each.budget_us} us: the budget is 10 to the period",
                domain=target.name,
            )
    if not new:
        raise XendError("bad_request", f"{target.name}: nothing is to be changed", domain=target.name)
    old = {number: now[number] for number in new}
    return ({str(number): attrs.asdict(each) for number, each in found.items()} for found in (new, old))  # type: ignore[return-value]


def scheduling_steps(host: Host, facts: SchedulingFacts) -> list[Step]:
    """One call of the hypervisor, then the configuration."""
    domid = facts.domid

    async def give(fields: dict[str, Any]) -> None:
        with explained("change its share of the CPUs", facts.name):
            if "weight" in fields:
                await host.hypervisor.set_parameters(domid, CreditParameters(**fields))
            else:
                vcpus = {int(number): RealTimeParameters(**each) for number, each in fields.items()}
                await host.hypervisor.set_vcpu_parameters(domid, vcpus)

    async def change(work: Work) -> None:
        await give(facts.new)

    async def undo(work: Work) -> None:
        await give(facts.old)

    return [Step("change", "change its share of the CPUs", change, undo), record_step(host, facts)]


async def read_scheduling(host: Host, target: Target) -> dict[str, Any]:
    """The answer of scheduling.show: {domid, name, scheduler, parameters, vcpus}.

    Raises:
        XendError: guest_died, hypervisor_failed.
    """
    scheduler = await scheduler_of(host, target)
    parameters, vcpus = None, None
    if scheduler in ("credit", "credit2", "rtds"):
        parameters = attrs.asdict(await _parameters(host, target))
    if scheduler == "rtds":
        with explained("ask for its share of the CPUs", target.name):
            found = await host.hypervisor.vcpu_parameters(target.domid)
        vcpus = [{"vcpu": number, **attrs.asdict(each)} for number, each in sorted(found.items())]
    return {
        "domid": target.domid,
        "name": target.name,
        "scheduler": scheduler,
        "pool": target.info.pool,
        "parameters": parameters,
        "vcpus": vcpus,
    }
