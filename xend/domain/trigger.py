"""domain.trigger: an interrupt for a virtual CPU, or one of the buttons of a domain's machine."""

import attrs

from xend.domain.model_talk import model_of, talk
from xend.domain.target import Target
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor.control import TRIGGERS
from xend.operation.facts import Facts
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.validators import count, typed

#: A machine that sleeps is woken by its device model.
WAKE = "s3resume"


@attrs.define(kw_only=True)
class TriggerFacts(Facts):
    """Those of domain.trigger."""

    KIND = "domain.trigger"

    trigger: str = attrs.field(validator=typed(str))
    vcpu: int = attrs.field(validator=count)


async def prepare_trigger(host: Host, target: Target, trigger: str, vcpu: int = 0) -> TriggerFacts:
    """Raises: XendError: bad_request: there is no such trigger, or vCPU."""
    if trigger == WAKE:
        model_of(host, target.domid, target.name)
        require_machine(target)
    elif trigger not in TRIGGERS:
        raise XendError(
            "bad_request",
            f"there is no trigger {trigger!r}: {', '.join((*TRIGGERS, WAKE))}",
            domain=target.name,
        )
    if vcpu >= target.info.max_vcpus:
        raise XendError(
            "bad_request",
            f"{target.name} has no vCPU {vcpu}; it has {target.info.max_vcpus}",
            domain=target.name,
        )
    return TriggerFacts(**target.identity, trigger=trigger, vcpu=vcpu)


def require_machine(target: Target) -> None:
    """Raises: XendError: wrong_state: the domain is no whole machine."""
    managed = target.managed
    if managed is None or managed.config.machine is None:
        raise XendError(
            "wrong_state", f"{target.name} has no machine that could be asleep", domain=target.name
        )


def trigger_steps(host: Host, facts: TriggerFacts) -> list[Step]:
    async def send(work: Work) -> None:
        assert facts.domid is not None
        if facts.trigger == WAKE:
            async with talk(host, work, facts.domid, facts.name) as conversation:
                await conversation.ask("system_wakeup")
            return
        with explained(f"send {facts.trigger}", facts.name):
            await host.hypervisor.send_trigger(facts.domid, facts.trigger, facts.vcpu)

    return [Step("send", f"send {facts.trigger} to its vCPU {facts.vcpu}", send)]
