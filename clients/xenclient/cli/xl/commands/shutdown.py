"""xl shutdown and reboot: of one domain, or of all at the same time."""

from __future__ import annotations

import os

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import ALL, DRY_RUN, Command, Option
from xenclient.cli.xl.each import for_each
from xenclient.cli.xl.operation import perform
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from xenclient.cli.xl.domains import Domain

    #: A domain that was asked: the name it was asked by, and the key of the call.
    Asked = tuple[Domain, int | str, str]

#: States of a domain that does not run any more, and stays so: its end was preserved, or is under way.
DOWN = ("shutdown", "crashed", "dying", "destroying")

OPTIONS = (
    ALL,
    Option("w", "wait", "return when the domain has stopped"),
    Option("F", "", "stop a domain that does not answer, as a power button would"),
    DRY_RUN,
)


def shutdown(call: Call) -> int:
    return _stop(call, "domain.shutdown")


def reboot(call: Call) -> int:
    return _stop(call, "domain.reboot")


SHUTDOWN = Command("-a|DOM", shutdown, *OPTIONS)
REBOOT = Command("-a|DOM", reboot, *OPTIONS)


def _stop(call: Call, method: str) -> int:
    if call.given("all") == bool(call.arguments):
        wrong = "a domain or -a, not both" if call.arguments else "needs a domain, or -a for all"
        raise call.usage_error(wrong)
    parameters: dict[str, Any] = {
        key: True for key, option in (("wait", "wait"), ("force", "F")) if call.given(option)
    }
    if call.given("all"):
        return _stop_all(call, method, parameters)
    perform(call, method, domain=call.arguments[0], **parameters)
    return 0


def _stop_all(call: Call, method: str, parameters: dict[str, Any]) -> int:
    """Ask all domains but dom0 first, then wait for each."""
    domains = [domain for domain in call.client.call("domain.list") if domain["domid"] != 0]
    if call.dry_run:
        print_steps = _unless_down(
            call, lambda domain: perform(call, method, domain=_identities(domain)[0], **parameters)
        )
        return for_each(call, domains, print_steps)
    accepted: list[Asked] = []
    ask = _unless_down(call, lambda domain: accepted.extend(_ask(call, method, domain, parameters)))

    def wait(asked: Asked) -> None:
        # The same key: it is the same operation, whose end is waited for.
        domain, identity, key = asked
        act = _unless_down(call, lambda _: perform(call, method, domain=identity, key=key, **parameters))
        act(domain)

    return for_each(call, domains, ask) | for_each(call, accepted, wait)


def _ask(call: Call, method: str, domain: Domain, parameters: dict[str, Any]) -> list[Asked]:
    """Start the operation and do not wait for its end; [] if there is no such domain any more."""
    key = os.urandom(16).hex()
    for identity in _identities(domain):
        try:
            call.client.call(method, domain=identity, key=key, wait_for="accepted", **parameters)
        except BusError as error:
            if error.code != "no_such_domain":
                raise
        else:
            return [(domain, identity, key)]
    return []


def _unless_down(call: Call, action: Callable[[Domain], object]) -> Callable[[Domain], None]:
    """The action, but no error of it is raised if the domain is down then."""

    def act(domain: Domain) -> None:
        try:
            action(domain)
        except BusError:
            if not all(_is_down(call, identity) for identity in _identities(domain)):
                raise

    return act


def _is_down(call: Call, identity: int | str) -> bool:
    try:
        (domain,) = call.client.call("domain.list", domain=identity)
    except BusError as error:
        return error.code == "no_such_domain"
    return domain["state"] in DOWN


def _identities(domain: Domain) -> list[int | str]:
    """Its domid and its UUID, as far as it has them.

    Once it was listed it may end, and begin its next life with another domid: then only its UUID finds it.
    """
    uuid: str = domain["uuid"]
    uuids: list[int | str] = [uuid] if uuid.strip("0-") else []
    return uuids if domain["domid"] is None else [domain["domid"], *uuids]
