"""screen.show, serial.show: where a domain's screen is shown, and where its serial lines end."""

from collections.abc import Sequence
from typing import Any

from xend.bus.kinds import DOMAIN, NUMBER
from xend.bus.methods import Call, Method, optional, required
from xend.config.number import number_of
from xend.config.vfb import VfbConfig
from xend.device.nodes import texts
from xend.device.vfb import VFB
from xend.domain.nodes import home
from xend.domain.targets import Targets
from xend.errors import XendError
from xend.host import Host
from xend.refusals import explained

Result = dict[str, Any]

_MAX_PORT = 65535


class ScreenCalls:
    """The methods, over a host."""

    def __init__(self, host: Host, targets: Targets) -> None:
        self._host = host
        self._targets = targets

    def methods(self) -> list[Method]:
        """Both of them."""
        line = {"domain": required(DOMAIN), "number": optional(NUMBER)}
        return [
            Method("screen.show", "read", {"domain": required(DOMAIN)}, self.screen),
            Method("serial.show", "read", line, self.serial),
        ]

    async def screen(self, call: Call, domain: str | int) -> Result:
        target = await self._targets.find(domain)
        config = target.require_managed("show the screen of").config
        screens: Sequence[VfbConfig] = config.of_kind(VFB.name)
        if config.machine is not None:
            screens = [config.machine.devices.screen]
        if not any(each.has_vnc for each in screens[:1]):
            raise XendError(
                "no_such_device",
                f"{target.name} has no screen that is served by VNC",
                domain=target.name,
                hint="vfb = [ 'vnc=1' ] in its configuration gives it one; xl console shows its text",
            )
        with explained("look where its screen is", target.name):
            console = f"{home(target.domid)}/console"
            found = await texts(self._host.store, console, ("vnc-listen", "vnc-port"))
        port = number_of(found.get("vnc-port", ""))
        if port is None or port > _MAX_PORT:
            raise XendError(
                "wrong_state",
                f"the screen of {target.name} is not served: its device model has not said at which port",
                domain=target.name,
            )
        password = screens[0].vncpasswd if call.access == "operate" else None
        secret = {} if password is None else {"password": password}
        return {"address": found.get("vnc-listen", "127.0.0.1"), "port": port, **secret}

    async def serial(self, call: Call, domain: str | int, number: int = 0) -> Result:
        """{tty: the terminal in dom0 that is the other end of a serial line}"""
        target = await self._targets.find(domain)
        machine = target.require_managed("look at the serial lines of").config.machine
        lines = () if machine is None else machine.devices.serial
        if number >= len(lines):
            raise XendError(
                "no_such_device",
                f"{target.name} has no serial line {number}",
                domain=target.name,
                hint="serial = 'pty' gives an hvm domain one; xl console -t pv shows its paravirtual console",
            )
        with explained("look where its serial line is", target.name):
            found = await texts(self._host.store, f"{home(target.domid)}/serial/{number}", ("tty",))
        if not found.get("tty"):
            raise XendError(
                "wrong_state",
                f"serial line {number} of {target.name} is connected with {lines[number]}, and no terminal",
                domain=target.name,
                hint="serial = 'pty' connects it with one",
            )
        return {"tty": found["tty"]}
