"""xl shutdown and reboot: of one domain, or of all at the same time."""

from __future__ import annotations

import os

from xenclient.cli.xl.each import for_each
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from xenclient.cli.xl.call import Call

    Domain = Mapping[str, Any]
    #: One that was asked: by which name, and with which key.
    Asked = tuple[Domain, int | str, str]

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
    domains = [domain for domain in call.client.call("domain.list") if domain["domid"] != 0]
    if call.dry_run:
        plan = _unless_down(call, lambda domain: call.preview(method, domain=_words(domain)[0], **parameters))
        return for_each(call, domains, plan)
    accepted: list[Asked] = []

    def ask(domain: Domain) -> None:
        key = os.urandom(16).hex()
        for word in _words(domain):
            try:
                call.client.call(method, domain=word, key=key, wait_for="accepted", **parameters)
            except BusError as error:
                if error.code != "no_such_domain":
                    raise
            else:
                accepted.append((domain, word, key))
                return

    def wait(asked: Asked) -> None:
        # The same key: it is the same operation, whose end is waited for.
        domain, word, key = asked
        act = _unless_down(call, lambda _: call.operate(method, domain=word, key=key, **parameters))
        act(domain)

    return for_each(call, domains, _unless_down(call, ask)) | for_each(call, accepted, wait)


def _unless_down(call: Call, action: Callable[[Domain], object]) -> Callable[[Domain], None]:
    """The action for one of all domains; that it is refused, or fails, is fine where the domain is down."""

    def act(domain: Domain) -> None:
        try:
            action(domain)
        except BusError:
            if not all(_is_down(call, word) for word in _words(domain)):
                raise

    return act


def _is_down(call: Call, word: int | str) -> bool:
    try:
        (domain,) = call.client.call("domain.list", domain=word)
    except BusError as error:
        return error.code == "no_such_domain"
    return domain["state"] in DOWN


def _words(domain: Domain) -> list[int | str]:
    """What it may be called: since it was listed it may have ended, and live anew, or not yet."""
    uuid: str = domain["uuid"]
    words: list[int | str] = [uuid] if uuid.strip("0-") else []
    return words if domain["domid"] is None else [domain["domid"], *words]
