"""pci.attach and pci.detach: PCI functions of the host come into a domain that runs, and leave it.

The first function of a domain makes the device, the last one takes it along by a closing handshake, so that
it can come back; all others change the row of the backend that is there.
"""

from collections.abc import Sequence

import attrs

from xend.config.pci import PciConfig, spec_of_function
from xend.device.pci import DEVID, PCI, Function, functions_of, groups_anew, pci_device
from xend.device.plug import Plug, plug_of
from xend.domain.attach import remember
from xend.domain.card_checks import check
from xend.domain.card_row import CardRow
from xend.domain.cards import give_all, take_back
from xend.domain.machine_cards import check_machine_takes, put_in, take_out
from xend.domain.machine_row import MachineRow
from xend.domain.registry import Domain
from xend.errors import XendError
from xend.host import Host
from xend.operation.facts import Facts
from xend.operation.steps import Step, Work
from xend.pci.address import Address
from xend.validators import text_maps, typed

#: What is likely where Xen refuses the first function of a domain.
_OF_FIRST = "a domain that begins without PCI devices needs passthrough = 'enabled' in its configuration"

__all__ = ["PciAttachFacts", "PciDetachFacts", "pci_attach_steps", "pci_detach_steps"]


@attrs.define(kw_only=True)
class PciAttachFacts(Facts):
    """Those of pci.attach.

    Attributes:
        spec, item: the specification, and the number of the configuration's item that it becomes.
        functions: that come.
        staying: the groups of keys of those that are there.
    """

    KIND = "pci.attach"

    spec: str = attrs.field(validator=typed(str))
    item: int = attrs.field(validator=typed(int))
    functions: list[Function] = attrs.field(converter=functions_of)
    staying: list[dict[str, str]] = attrs.field(validator=text_maps)


@attrs.define(kw_only=True)
class PciDetachFacts(Facts):
    """Those of pci.detach.

    Attributes:
        going, staying: the groups of keys of the functions that leave, and of the others.
        force: they leave whether the guest lets go of them or not.
    """

    KIND = "pci.detach"

    going: list[dict[str, str]] = attrs.field(validator=text_maps)
    staying: list[dict[str, str]] = attrs.field(validator=text_maps)
    force: bool = attrs.field(validator=typed(bool))


def pci_attach_steps(host: Host, facts: PciAttachFacts) -> list[Step]:
    """The steps of pci.attach."""
    domid, label = _domid(facts), PCI.label(DEVID)
    addresses = [each.where for each in facts.functions]
    is_machine = host.domains.has_machine(facts.uuid)
    kind = MachineRow if is_machine else CardRow

    def row() -> CardRow:
        return kind(host, domid, [each.group() for each in facts.functions], facts.staying)

    async def check_them(work: Work) -> None:
        await check(host, facts.functions, domid, is_machine=is_machine)
        if is_machine:
            check_machine_takes(host, domid, facts.name)
        work.result |= {"functions": [str(each) for each in addresses]}

    async def give(work: Work) -> None:
        try:
            await give_all(host, work, domid, facts.functions, is_machine=is_machine)
        except XendError as error:
            is_first = error.code == "hypervisor_failed" and not facts.staying
            raise error.annotated(hint=_OF_FIRST if is_first else None) from error.__cause__

    async def take(work: Work) -> None:
        await _take_back(host, work, domid, addresses)

    async def show(work: Work) -> None:
        facts.functions = await put_in(host, work, domid, facts.name, facts.functions)

    async def hide(work: Work) -> None:
        await take_out(host, work, domid, facts.name, addresses)

    async def remember_it(work: Work) -> None:
        remember(host, facts.uuid, {"kind": PCI.name, "spec": facts.spec, "devid": facts.item})

    async def append(work: Work) -> None:
        await row().append(work)

    async def withdraw(work: Work) -> None:
        await row().withdraw(work)

    if facts.staying:
        coming = [Step("pci/0.append", f"{label}: have its guest take them", append, withdraw)]
    else:
        plug = Plug(host, PCI.name, DEVID, label, lambda work: pci_device(domid, row().groups))
        coming = plug.attach()
    if is_machine:
        coming.insert(0, Step("pci/0.put-in", f"{label}: have its device model show them", show, hide))
    return [
        Step("pci/0.check", f"{label}: check what it needs", check_them),
        Step("pci/0.give", f"{label}: give it the host's PCI devices", give, take),
        *coming,
        Step("pci/0.remember", f"{label}: remember it", remember_it),
    ]


def pci_detach_steps(host: Host, facts: PciDetachFacts) -> list[Step]:
    """The steps of pci.detach."""
    domid, label = _domid(facts), PCI.label(DEVID)
    addresses = _addresses(facts.going)
    is_machine = host.domains.has_machine(facts.uuid)
    row = (MachineRow if is_machine else CardRow)(host, domid, facts.going, facts.staying)

    async def take(work: Work) -> None:
        await _take_back(host, work, domid, addresses)

    async def forget_it(work: Work) -> None:
        _forget(host, facts)
        work.result |= {"functions": [str(each) for each in addresses]}

    async def hide(work: Work) -> None:
        await take_out(host, work, domid, facts.name, addresses)

    async def let_go(work: Work) -> None:
        try:
            await row.let_go(work)
        except XendError as error:
            if not facts.force and not is_machine:
                raise
            work.warn(error)
            await row.make_anew(work)

    back = Step("pci/0.take-back", f"{label}: take the host's PCI devices back", take)
    forget = Step("pci/0.forget", f"{label}: forget it", forget_it)
    first = []
    if is_machine:
        first.append(Step("pci/0.take-out", f"{label}: have its device model show them no more", hide))
    if not facts.staying:
        plug = plug_of(host, pci_device(domid, groups_anew(facts.going)))
        leaving = plug.detach() if facts.force or is_machine else plug.detach_politely()
        return [*first, *leaving, back, forget]
    return [
        *first,
        Step("pci/0.let-go", f"{label}: have its guest let go of them", let_go, row.leave_as_it_was),
        back,
        Step("pci/0.drop", f"{label}: remove their nodes", row.drop),
        forget,
    ]


async def _take_back(host: Host, work: Work, domid: int, addresses: Sequence[Address]) -> None:
    for address in addresses:
        await take_back(host, work, domid, address)


def _forget(host: Host, facts: PciDetachFacts) -> None:
    """The functions are not in the domain's configuration any more, the others of their items are."""
    domain = host.domains.by_uuid(facts.uuid)
    if domain is None:
        return
    going = _addresses(facts.going)
    called = {each["name"] for each in facts.going if "name" in each}
    for item in list(domain.config.of_kind(PCI.name)):
        if item.called in called if item.address is None else any(_means(item, each) for each in going):
            remember(host, facts.uuid, {"kind": PCI.name, "devid": item.devid})
            _keep_others(host, domain, item, facts)


def _keep_others(host: Host, domain: Domain, item: PciConfig, facts: PciDetachFacts) -> None:
    for address in _addresses(facts.staying):
        if item.is_whole and _means(item, address):
            change = {"kind": PCI.name, "spec": spec_of_function(item, address), "devid": address.number}
            remember(host, domain.uuid, change)


def _means(item: PciConfig, address: Address) -> bool:
    if item.address is None:
        return False
    return item.address.slot == address.slot if item.is_whole else item.address == address


def _addresses(groups: Sequence[dict[str, str]]) -> list[Address]:
    found = [Address.parse(each["dev"]) for each in groups]
    return [each for each in found if each is not None]


def _domid(facts: Facts) -> int:
    assert facts.domid is not None
    return facts.domid
