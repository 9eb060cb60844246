"""domain.set_vcpus: how many of its virtual CPUs a domain uses, as its kernel follows the store's nodes.

Source: toolstack.md 4, ~/cpu/N/availability.
"""

from collections.abc import Mapping

import attrs

from xend.device.nodes import texts as read_texts
from xend.domain import nodes
from xend.domain.hot_cpus import plug_processors
from xend.domain.lasting import LastingFacts, lasting, record_step
from xend.domain.model_talk import talk
from xend.domain.target import Target
from xend.errors import XendError
from xend.host import Host
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.validators import count, texts


@attrs.define(kw_only=True)
class VcpusFacts(LastingFacts):
    """Those of domain.set_vcpus.

    Attributes:
        vcpus, max_vcpus: how many it is to use, the first ones; and how many it has.
        old: the word that the store had of each; empty: none.
    """

    KIND = "domain.set_vcpus"

    vcpus: int = attrs.field(validator=count)
    max_vcpus: int = attrs.field(validator=count)
    old: list[str] = attrs.field(validator=texts)


async def prepare_vcpus(host: Host, target: Target, vcpus: int, ignore_host: bool = False) -> VcpusFacts:
    """Raises: XendError: bad_request: it has not so many, or the host has less and that is not ignored."""
    most = target.info.max_vcpus
    if not 1 <= vcpus <= most:
        raise XendError(
            "bad_request",
            f"{target.name} cannot use {vcpus} vCPUs: from 1 to {most} (maxvcpus) are possible",
            domain=target.name,
        )
    with explained("look at its vCPUs", target.name):
        cpus = (await host.hypervisor.host_info()).nr_cpus
        home = nodes.home(target.domid)
        found = await read_texts(host.store, home, [_node(number) for number in range(most)])
    if vcpus > max(cpus, target.info.vcpus) and not ignore_host:
        raise XendError(
            "bad_request",
            f"{target.name} is to use {vcpus} vCPUs, this host has {cpus} CPUs",
            domain=target.name,
            hint="xl vcpu-set --ignore-host does it all the same",
        )
    return VcpusFacts(
        **target.identity,
        vcpus=vcpus,
        max_vcpus=most,
        old=[found.get(_node(number), "") for number in range(most)],
        **lasting(target, {"vcpus": str(vcpus), "maxvcpus": str(most)}),
    )


def vcpus_steps(host: Host, facts: VcpusFacts) -> list[Step]:
    """The processors of its machine, if it has one, the nodes that its kernel follows, its configuration."""
    home = nodes.home(facts.domid)
    new = {
        _node(number): "online" if number < facts.vcpus else "offline" for number in range(facts.max_vcpus)
    }
    old = {_node(number): word for number, word in enumerate(facts.old)}

    async def write(words: Mapping[str, str]) -> None:
        with explained("write which of its vCPUs it is to use", facts.name):
            await nodes.write_or_remove(host.store, home, words)

    async def write_new(work: Work) -> None:
        await write(new)
        host.publish("domain", "vcpus", domid=facts.domid, name=facts.name, vcpus=facts.vcpus)

    async def write_old(work: Work) -> None:
        await write(old)

    async def plug(work: Work) -> None:
        assert facts.domid is not None
        async with talk(host, work, facts.domid, facts.name) as conversation:
            await plug_processors(conversation, facts.vcpus)

    return [
        *([Step("plug", "have its machine get them", plug)] if host.domains.has_machine(facts.uuid) else []),
        Step("write", f"have it use {facts.vcpus} vCPUs", write_new, write_old),
        record_step(host, facts),
    ]


def _node(number: int) -> str:
    return f"cpu/{number}/availability"
