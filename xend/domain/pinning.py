"""domain.pin_vcpus: on which of the host's CPUs virtual ones may run, and should run."""

from collections.abc import Sequence
from typing import Any

import attrs

from xend.config.cpus import parse_cpu_set
from xend.domain.host_cpus import HostCpus, host_cpus
from xend.domain.lasting import LastingFacts, lasting, record_step
from xend.domain.target import Target
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import VcpuInfo
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.validators import typed


@attrs.define(kw_only=True)
class PinFacts(LastingFacts):
    """Those of domain.pin_vcpus.

    Attributes:
        vcpus: which of them.
        hard, soft: numbers of CPUs; None: as they were.
        old: of all its vCPUs, where each might and should run before, {hard, soft}.
        force: what holds one on a CPU for a while is ended.
    """

    KIND = "domain.pin_vcpus"

    vcpus: list[int] = attrs.field(validator=typed(list))
    hard: list[int] | None = attrs.field(default=None, validator=typed(list | None))
    soft: list[int] | None = attrs.field(default=None, validator=typed(list | None))
    old: list[dict[str, Any]] = attrs.field(validator=typed(list))
    force: bool = attrs.field(default=False, validator=typed(bool))


async def prepare_pin(
    host: Host,
    target: Target,
    vcpu: int | None = None,
    hard: str | None = None,
    soft: str | None = None,
    force: bool = False,
    ignore_masks: bool = False,
) -> PinFacts:
    """Pins one vCPU, or all (None), on the hard CPUs that the masks of xl.conf leave.

    Raises:
        XendError: bad_request: it has no such vCPU, or its pool none of the CPUs, or the masks leave none.
    """
    if hard is None and soft is None:
        raise XendError("bad_request", f"{target.name}: neither hard nor soft says on which CPUs")
    cpus = await host_cpus(host)
    with explained("look at its vCPUs", target.name):
        found = await host.hypervisor.vcpus(target.domid)
        pools = await host.hypervisor.pools()
    if vcpu is not None and vcpu >= len(found):
        raise XendError(
            "bad_request", f"{target.name} has no vCPU {vcpu}; it has {len(found)}", domain=target.name
        )
    pool = next((set(each.cpus) for each in pools if each.number == target.info.pool), set())
    wanted = {
        which: None if text is None else _in_pool(cpus.named(text), pool, text, target)
        for which, text in (("hard", hard), ("soft", soft))
    }
    if (asked := wanted["hard"]) is not None and not ignore_masks:
        wanted["hard"] = _masked(host, cpus, asked, target)
    vcpus = [each.number for each in found] if vcpu is None else [vcpu]
    return PinFacts(
        **target.identity,
        vcpus=vcpus,
        hard=wanted["hard"],
        soft=wanted["soft"],
        old=[{"hard": list(each.hard_affinity), "soft": list(each.soft_affinity)} for each in found],
        force=force,
        **lasting(target, _lasting(found, vcpus, wanted, pool)),
    )


def _in_pool(cpus: Sequence[int], pool: set[int], text: str, target: Target) -> list[int]:
    if pool.isdisjoint(cpus):
        raise XendError(
            "bad_request",
            f"{target.name} runs in a CPU pool that has none of the CPUs {text}; it has "
            f"{', '.join(map(str, sorted(pool)))}",
            domain=target.name,
            hint="xl cpupool-list -c shows them; xl cpupool-migrate moves a domain",
        )
    return list(cpus)


def _masked(host: Host, cpus: HostCpus, asked: Sequence[int], target: Target) -> list[int]:
    """Those that vm.cpumask and its like leave, as for a domain that is made."""
    left = list(asked)
    guest_type = "pv" if target.managed is None else target.managed.config.type
    for mask in host.settings.defaults.masks(guest_type):
        allowed = cpus.meant(parse_cpu_set(mask))
        left = [cpu for cpu in left if cpu in allowed]
        if not left:
            raise XendError(
                "bad_request",
                f'xl.conf lets {guest_type} domains run on the CPUs "{mask}" only',
                domain=target.name,
                hint="xl vcpu-pin --ignore-global-affinity-masks passes over that",
            )
    return left


def _lasting(
    found: Sequence[VcpuInfo], vcpus: Sequence[int], wanted: dict[str, list[int] | None], pool: set[int]
) -> dict[str, str]:
    """The options that say for all its vCPUs where they run after this."""
    options = {}
    for option, which in (("cpus", "hard"), ("cpus_soft", "soft")):
        cpus = wanted[which]
        if cpus is None:
            continue
        each = [cpus if vcpu.number in vcpus else getattr(vcpu, f"{which}_affinity") for vcpu in found]
        options[option] = "[" + ", ".join(f'"{_text(one, pool)}"' for one in each) + "]"
    return options


def _text(cpus: Sequence[int], pool: set[int]) -> str:
    return "all" if pool <= set(cpus) or not cpus else ",".join(map(str, sorted(cpus)))


def pin_steps(host: Host, facts: PinFacts) -> list[Step]:
    """Each vCPU, then the configuration."""
    domid = facts.domid

    async def pin(work: Work) -> None:
        with explained("say where its vCPUs run", facts.name):
            for vcpu in facts.vcpus:
                await host.hypervisor.set_affinity(domid, vcpu, facts.hard, facts.soft, facts.force)

    async def unpin(work: Work) -> None:
        with explained("have its vCPUs run where they ran", facts.name):
            for vcpu in facts.vcpus:
                hard, soft = (
                    facts.old[vcpu][which] if given is not None else None
                    for which, given in (("hard", facts.hard), ("soft", facts.soft))
                )
                await host.hypervisor.set_affinity(domid, vcpu, hard, soft)

    return [Step("pin", "say on which CPUs its vCPUs run", pin, unpin), record_step(host, facts)]
