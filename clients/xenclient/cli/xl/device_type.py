"""What the sub-commands of a device type have in common: attach, detach and list.

What describes a device is one word with commas, several words, or, as for xm, words by place (BACKEND-DEVICE
VDEV MODE [BACKEND-DOMAIN]).  xend parses each word by itself, as Xen's xl does: target= takes what follows in
its word, and none of the other words.
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, JSON, Command, Option
from xenclient.cli.xl.each import from_each
from xenclient.cli.xl.operation import perform_and_show
from xenclient.cli.xl.source import working_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    #: As device.list has it.
    Device = Mapping[str, Any]

FORCE = Option("f", "force", "whether the guest lets go of it or not")
#: Digits of the largest number there may be, an unsigned one of 32 bits.
DIGITS = 10


class DeviceType:
    """A type of devices, from which its sub-commands are declared.

    Attributes:
        kind: as the bus calls it: "vif".
        has_files: its description may name files, relative to the working directory.
        spec: the words that describe a device, as xend takes them, from those of the command line.
        name: what xend calls a device, from what the command line calls it.
    """

    def __init__(
        self,
        kind: str,
        has_files: bool = False,
        spec: Callable[[list[str]], list[str]] = list,
        name: Callable[[str], str] = str,
    ) -> None:
        self.kind = kind
        self.has_files = has_files
        self.spec = spec
        self.name = name

    def attach(self, arguments: str) -> Command:
        """The sub-command that takes a domain and what describes the device."""

        def run(call: Call) -> int:
            domain, *words = call.arguments
            spec = self.spec(words)
            where = {"directory": working_directory()} if self.has_files else {}
            return change_device(
                call, "attach", domain, kind=self.kind, spec=spec if len(spec) > 1 else "".join(spec), **where
            )

        return Command(arguments, run, DRY_RUN, JSON)

    def detach(self, arguments: str) -> Command:
        """The sub-command that takes a domain and the device's name."""

        def run(call: Call) -> int:
            domain, name = call.arguments
            how = {"force": True} if call.given("force") else {}
            return change_device(call, "detach", domain, kind=self.kind, device=self.name(name), **how)

        return Command(arguments, run, FORCE, DRY_RUN, JSON)

    def list_(self, header: str, row: Callable[[Device], str]) -> Command:
        """The sub-command that takes domains, and prints a header and a row for each of their devices."""

        def run(call: Call) -> int:
            by_domain, status = from_each(
                call, lambda domain: call.client.call("device.list", domain=domain, kind=self.kind)
            )
            devices = [device for devices in by_domain for device in devices]
            if by_domain or call.json:
                call.show(devices, "".join(f"{line}\n" for line in (header, *map(row, devices))))
            return status

        return Command("DOM ...", run, JSON)


def change_device(call: Call, verb: str, domain: str, **parameters: Any) -> int:
    """Call device.VERB and print its result if --json was given; returns the exit status."""
    return perform_and_show(call, f"device.{verb}", domain=domain, **parameters)


def number(frontend: Mapping[str, str], key: str) -> int:
    """The number in a frontend's node, which its guest writes; -1, as from Xen's xl, if there is none."""
    text = frontend.get(key, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS else -1
