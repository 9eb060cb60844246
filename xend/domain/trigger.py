"""domain.trigger: an interrupt for a virtual CPU, or one of the buttons of a domain's machine."""

import attrs

from xend.domain.target import Target
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor.control import TRIGGERS
from xend.operation.facts import Facts
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.validators import count, typed


@attrs.define(kw_only=True)
class TriggerFacts(Facts):
    """Those of domain.trigger."""

    KIND = "domain.trigger"

    trigger: str = attrs.field(validator=typed(str))
    vcpu: int = attrs.field(validator=count)


async def prepare_trigger(host: Host, target: Target, trigger: str, vcpu: int = 0) -> TriggerFacts:
    """Raises: XendError: bad_request: there is no such trigger, or vCPU."""
    if trigger not in TRIGGERS:
        raise XendError(
            "bad_request",
            f"there is no trigger {trigger!r}: {', '.join(TRIGGERS)}",
            domain=target.name,
        )
    if vcpu >= target.info.max_vcpus:
        raise XendError(
            "bad_request",
            f"{target.name} has no vCPU {vcpu}; it has {target.info.max_vcpus}",
            domain=target.name,
        )
    return TriggerFacts(**target.identity, trigger=trigger, vcpu=vcpu)


def trigger_steps(host: Host, facts: TriggerFacts) -> list[Step]:
    async def send(work: Work) -> None:
        assert facts.domid is not None
        with explained(f"send {facts.trigger}", facts.name):
            await host.hypervisor.send_trigger(facts.domid, facts.trigger, facts.vcpu)

    return [Step("send", f"send {facts.trigger} to its vCPU {facts.vcpu}", send)]
