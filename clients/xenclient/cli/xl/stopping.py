"""xl shutdown and reboot: of one domain, or of all at the same time."""

from __future__ import annotations

import os

from xenclient.cli.xl.each import for_each
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from xenclient.cli.xl.call import Call

#: States of a domain that does not run any more, and stays so: its end was preserved, or is under way.
DOWN = ("shutdown", "crashed", "dying", "destroying")


def shutdown(call: Call) -> int:
    """xl shutdown."""
    return _stop(call, "domain.shutdown")


def reboot(call: Call) -> int:
    """xl reboot."""
    return _stop(call, "domain.reboot")


def _stop(call: Call, method: str) -> int:
    if call.given("all") == bool(call.arguments):
        raise call.usage("a domain or -a, not both" if call.arguments else "needs a domain, or -a for all")
    parameters: dict[str, Any] = {
        key: True for key, option in (("wait", "wait"), ("force", "F")) if call.given(option)
    }
    if call.given("all"):
        return _stop_all(call, method, parameters)
    call.operate(method, domain=call.arguments[0], **parameters)
    return 0


def _stop_all(call: Call, method: str, parameters: dict[str, Any]) -> int:
    """Ask all domains but dom0 first, then wait for each."""
    domids = [domain["domid"] for domain in call.client.call("domain.list") if domain["domid"]]
    if call.dry_run:
        plan = _unless_down(call, lambda domid: call.preview(method, domain=domid, **parameters))
        return for_each(call, domids, plan)
    keys = {domid: os.urandom(16).hex() for domid in domids}

    def ask(domid: int) -> None:
        call.client.call(method, domain=domid, key=keys[domid], wait_for="accepted", **parameters)
        asked.append(domid)

    def wait(domid: int) -> None:
        # The same key: it is the same operation, whose end is waited for.
        call.operate(method, domain=domid, key=keys[domid], **parameters)

    asked: list[int] = []
    return for_each(call, domids, _unless_down(call, ask)) | for_each(call, asked, _unless_down(call, wait))


def _unless_down(call: Call, action: Callable[[int], object]) -> Callable[[int], None]:
    """The action for one of all domains; that it is refused, or fails, is fine where the domain is down."""

    def act(domid: int) -> None:
        try:
            action(domid)
        except BusError:
            if not _is_down(call, domid):
                raise

    return act


def _is_down(call: Call, domid: int) -> bool:
    try:
        (domain,) = call.client.call("domain.list", domain=domid)
    except BusError as error:
        return error.code == "no_such_domain"
    return domain["state"] in DOWN
