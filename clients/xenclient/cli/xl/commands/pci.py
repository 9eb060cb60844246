"""xl pci-attach, pci-detach, pci-list, pci-assignable-list, -add and -remove: PCI devices of the host.

Source of the lines: what Debian's xl 4.17 prints (tools/xl/xl_pci.c).
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, JSON, Command, Option
from xenclient.cli.xl.device_type import FORCE
from xenclient.cli.xl.each import for_each
from xenclient.cli.xl.operation import log_warnings, perform_and_show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEADER = "Vdev Device\n"

NAME = Option("n", "name", "what it is called from now on", "NAME")
NAMES = Option("n", "", "with their names")
REBIND = Option("r", "", "the driver of dom0's that had it has it again")


def attach(call: Call) -> int:
    domain, *words = call.arguments
    return perform_and_show(call, "pci.attach", domain=domain, spec=words if len(words) > 1 else words[0])


def detach(call: Call) -> int:
    domain, device = call.arguments
    how = {"force": True} if call.given("force") else {}
    return perform_and_show(call, "pci.detach", domain=domain, spec=device, **how)


def list_(call: Call) -> int:
    found = call.client.call("pci.list", domain=call.arguments[0])
    lines = [f"{each['slot']:02x}.{each['function']:x} {each['address']}\n" for each in found]
    call.show(found, "".join([HEADER, *lines] if lines else []))
    return 0


def assignable(call: Call) -> int:
    found = call.client.call("pci.assignable")
    names = [each["name"] if call.given("n") else None for each in found]
    lines = [f"{each['address']} {name or ''}\n" for each, name in zip(found, names, strict=True)]
    call.show(found, "".join(lines))
    return 0


def add(call: Call) -> int:
    name = call.value("name")
    if name is not None and len(call.arguments) > 1:
        raise call.usage_error("a name is for one device")
    named = {} if name is None else {"name": name}
    return change_each(call, "pci.make_assignable", **named)


def remove(call: Call) -> int:
    rebind = {"rebind": True} if call.given("r") else {}
    return change_each(call, "pci.make_unassignable", **rebind)


def change_each(call: Call, method: str, **how: Any) -> int:
    """Call a method for each device; returns the exit status."""

    def change_one(device: str) -> None:
        if call.dry_run:
            plan = call.client.call(method, device=device, dry_run=True, **how)
            call.show(plan, "".join(f"{step}\n" for step in plan["steps"]))
        else:
            log_warnings(call, call.client.call(method, device=device, **how))

    return for_each(call, call.arguments, change_one)


PCI_ATTACH = Command("DOM BDF|NAME [KEY=VALUE] ...", attach, DRY_RUN, JSON)
PCI_DETACH = Command("DOM BDF|NAME", detach, FORCE, DRY_RUN, JSON)
PCI_LIST = Command("DOM", list_, JSON)
PCI_ASSIGNABLE_LIST = Command("", assignable, NAMES, JSON)
PCI_ASSIGNABLE_ADD = Command("BDF ...", add, NAME, DRY_RUN)
PCI_ASSIGNABLE_REMOVE = Command("BDF|NAME ...", remove, REBIND, DRY_RUN)
