"""PCI functions of the host in the machine of an hvm domain: its device model shows them to the guest.

It opens them in Linux's sysfs, maps their registers where the guest wants them, and connects their
interrupts (guests.md 1.5, 5.3).  What it says is looked at before it is believed.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import trio

from xend.config.place import listed
from xend.device.pci import PCI, Function
from xend.domain.model_rights import KEEPS
from xend.domain.model_talk import model_of, talk
from xend.errors import XendError
from xend.host import Host
from xend.model.qmp import Conversation, QmpError, is_number_below
from xend.operation.steps import Work
from xend.pci.address import FUNCTIONS, MAX_DEVICE, Address

__all__ = ["check_machine_takes", "put_in", "refuse_platform", "take_out"]

#: How often it is looked whether the guest has let go of a function, in seconds (libxl: 1).
LOOK_SECONDS = 1.0
_FUNCTION_BITS = 3


def refuse_platform(host: Host) -> None:
    """See that device models can have functions of this host at all.  Raises: XendError: unsupported."""
    if host.settings.platform != "linux":
        raise XendError(
            "unsupported",
            "an hvm domain has its PCI devices of its device model (qemu), which finds them in Linux's sysfs "
            "alone",
            hint="type = 'pv' has them of dom0's kernel",
        )


def check_machine_takes(host: Host, domid: int, name: str) -> None:
    """See that a device model that runs can be given a function.

    Raises:
        XendError: wrong_state, device_failed, unsupported.
    """
    model = model_of(host, domid, name)
    if model.is_shut_in:
        raise XendError(
            "unsupported",
            f"{model.called} has given up its rights, and opens no PCI devices any more",
            domain=name,
            hint=f"put it into pci = [ ... ] of the configuration, and start it anew; or {KEEPS}",
        )


async def put_in(
    host: Host, work: Work, domid: int, name: str, functions: Sequence[Function]
) -> list[Function]:
    """Have the machine show functions; the same, with where in the machine each is.  Done again, it is the
    same.

    Raises:
        XendError: device_failed, no_answer.
    """
    shared = _shared_slots(functions)
    placed = {}
    async with talk(host, work, domid, name) as conversation:
        there = await _there(conversation)
        # Number 0 last: with it the guest looks for all of its slot.
        for function in sorted(functions, key=lambda each: each.vdevfn or 0, reverse=True):
            if _name(function.where) not in there:
                await conversation.ask("device_add", **_words(function, shared))
        there = await _there(conversation)
        for function in functions:
            place = there.get(_name(function.where))
            if place is None:
                raise QmpError(f"query-pci: it has not taken {function.address}")
            placed[function.address] = place
    return [attrs.evolve(each, vdevfn=placed[each.address]) for each in functions]


async def take_out(host: Host, work: Work, domid: int, name: str, addresses: Sequence[Address]) -> None:
    """Have the machine show functions no more, once its guest lets go.  Done again, it is the same.

    A function of which the guest has registers mapped is not taken by force: its next owner would share them.

    Raises:
        XendError: device_failed, no_answer.
    """
    seconds = host.settings.destroy_seconds
    async with talk(host, work, domid, name) as conversation:
        there = await _there(conversation)
        for address in addresses:
            if _name(address) in there:
                await conversation.ask("device_del", id=_name(address))
        with trio.move_on_after(seconds) as scope:
            await _await_gone(conversation, addresses)
    if scope.cancelled_caught:
        devices = listed([str(each) for each in addresses], "and")
        raise XendError(
            "device_failed",
            f"the guest of {name} did not let go of PCI device {devices} within {seconds:g} s",
            domain=name,
            device=PCI.label(0),
            waited_s=seconds,
            hint="its kernel has to be one that can (ACPI hot-plug), and its driver to be idle; by force the "
            f"next domain would share its registers, so that only xl destroy {name} takes it away",
        )


def _words(function: Function, shared: Sequence[int]) -> dict[str, Any]:
    words: dict[str, Any] = {
        "driver": "xen-pci-passthrough",
        "id": _name(function.where),
        "hostaddr": function.address,
    }
    if function.vdevfn is not None:
        slot, number = divmod(function.vdevfn, 1 << _FUNCTION_BITS)
        words["addr"] = f"{slot:x}.{number:x}"
        if slot in shared:
            words["multifunction"] = True
    if function.permissive:
        words["permissive"] = True
    return words


def _shared_slots(functions: Sequence[Function]) -> list[int]:
    """Those in which there are to be several."""
    slots = [each.vdevfn >> _FUNCTION_BITS for each in functions if each.vdevfn is not None]
    return [slot for slot in slots if slots.count(slot) > 1]


def _name(address: Address) -> str:
    """What the device model calls a function."""
    return f"pci-pt-{address}".replace(":", "_")


async def _await_gone(conversation: Conversation, addresses: Sequence[Address]) -> None:
    """The device model tells nobody: it is asked now and then."""
    names = {_name(each) for each in addresses}
    while names & set(await _there(conversation)):  # noqa: ASYNC110
        await trio.sleep(LOOK_SECONDS)


async def _there(conversation: Conversation) -> dict[str, int]:
    """Device number and function in the machine, by the names of devices on its first bus.

    Raises:
        QmpError: it says nonsense.
    """
    return dict(_devices(await conversation.ask("query-pci")))


def _devices(buses: Any) -> Iterator[tuple[str, int]]:
    if not isinstance(buses, list):
        raise QmpError("query-pci: it names no buses")
    for bus in buses:
        devices = bus.get("devices") if isinstance(bus, dict) else None
        for each in devices if isinstance(devices, list) else ():
            if not isinstance(each, dict):
                continue
            name, slot, number = (each.get(key) for key in ("qdev_id", "slot", "function"))
            if not isinstance(name, str) or not is_number_below(slot, MAX_DEVICE + 1):
                continue
            if is_number_below(number, FUNCTIONS):
                yield name, slot << _FUNCTION_BITS | number
