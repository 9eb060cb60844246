"""screen.show: where a domain's screen is shown, for a viewer."""

from typing import Any

from xend.bus.kinds import DOMAIN
from xend.bus.methods import Call, Method, required
from xend.config.number import number_of
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
    """The method, over a host."""

    def __init__(self, host: Host, targets: Targets) -> None:
        self._host = host
        self._targets = targets

    def methods(self) -> list[Method]:
        """It alone."""
        return [Method("screen.show", "read", {"domain": required(DOMAIN)}, self.screen)]

    async def screen(self, call: Call, domain: str | int) -> Result:
        target = await self._targets.find(domain)
        screens = target.require_managed("show the screen of").config.of_kind(VFB.name)
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
