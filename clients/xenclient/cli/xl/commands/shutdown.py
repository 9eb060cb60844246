"""xl shutdown and reboot: of some domains, or of all, at the same time.

What they say on standard error while they do it is what Xen's xl says, as programs log it.
Source: `xl shutdown` of Xen 4.17, as its program prints it; xm(1) for -H and -R.
"""

from __future__ import annotations

import os

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import ALL, DRY_RUN, Command, Option
from xenclient.cli.xl.each import for_each, from_each
from xenclient.cli.xl.operation import perform
from xenclient.cli.xl.printing import log
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from xenclient.cli.xl.domains import Domain
    from xenclient.cli.xl.operation import Map

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
HALT = Option("H", "halt", "have it stay down, which is what happens anyway; for xm's users")
REBOOT_INSTEAD = Option("R", "reboot", "have it start again, as xl reboot does; for xm's users")

SHUTDOWN_METHOD, REBOOT_METHOD = "domain.shutdown", "domain.reboot"
#: What is said of each domain, by method.
SAID = {SHUTDOWN_METHOD: "Shutting down", REBOOT_METHOD: "Rebooting"}


def shutdown(call: Call) -> int:
    if call.given("halt") and call.given("reboot"):
        raise call.usage_error("-H has it stay down, -R has it start again: one of them")
    return _stop(call, REBOOT_METHOD if call.given("reboot") else SHUTDOWN_METHOD)


def reboot(call: Call) -> int:
    return _stop(call, REBOOT_METHOD)


SHUTDOWN = Command("[-a|DOM ...]", shutdown, *OPTIONS, HALT, REBOOT_INSTEAD)
REBOOT = Command("[-a|DOM ...]", reboot, *OPTIONS)


def _stop(call: Call, method: str) -> int:
    if call.given("all") == bool(call.arguments):
        wrong = "a domain or -a, not both" if call.arguments else "needs a domain, or -a for all"
        raise call.usage_error(wrong)
    parameters: dict[str, Any] = {
        key: True for key, option in (("wait", "wait"), ("force", "F")) if call.given(option)
    }
    if call.given("all"):
        domains = [domain for domain in call.client.call("domain.list") if domain["domid"] != 0]
        return _stop_together(call, method, parameters, domains)
    found, status = from_each(call, lambda name: call.client.call("domain.list", domain=name))
    if len(call.arguments) > 1:
        return status | _stop_together(call, method, parameters, [domain for (domain,) in found])
    _say(call, method, found[0][0])
    _say_waiting(call, 1)
    _say_end(call, perform(call, method, domain=call.arguments[0], **parameters))
    return 0


def _say(call: Call, method: str, domain: Domain) -> None:
    """Name a domain as it is asked; between two lives it has no number."""
    if not call.dry_run:
        who = domain["name"] if domain["domid"] is None else domain["domid"]
        log(f"{SAID[method]} domain {who}\n")


def _say_waiting(call: Call, number: int) -> None:
    if call.given("wait") and number and not call.dry_run:
        log(f"Waiting for {number} domains\n")


def _say_end(call: Call, ended: Map) -> None:
    """How a domain ended that was waited for; of one between two lives there is nothing to say."""
    if not call.given("wait") or call.dry_run or ended["domid"] is None:
        return
    reason = ended.get("shutdown_reason")
    how = "destroyed" if reason is None else f"shut down, reason code {reason}"
    log(f"Domain {ended['domid']} has been {how}\n")


def _stop_together(call: Call, method: str, parameters: dict[str, Any], domains: list[Domain]) -> int:
    """Ask all of them first, then wait for each; of all the host's, those that are down are passed over."""
    tolerant = _unless_down if call.given("all") else _whatever
    if call.dry_run:
        print_steps = tolerant(
            call, lambda domain: perform(call, method, domain=_identities(domain)[0], **parameters)
        )
        return for_each(call, domains, print_steps)
    accepted: list[Asked] = []

    def ask(domain: Domain) -> None:
        _say(call, method, domain)
        accepted.extend(_ask(call, method, domain, parameters))

    def wait(asked: Asked) -> None:
        # The same key: it is the same operation, whose end is waited for.
        domain, identity, key = asked
        act = tolerant(
            call, lambda _: _say_end(call, perform(call, method, domain=identity, key=key, **parameters))
        )
        act(domain)

    status = for_each(call, domains, tolerant(call, ask))
    _say_waiting(call, len(accepted))
    return status | for_each(call, accepted, wait)


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


def _whatever(call: Call, action: Callable[[Domain], object]) -> Callable[[Domain], object]:
    """The action, as it is."""
    return action


def _unless_down(call: Call, action: Callable[[Domain], object]) -> Callable[[Domain], object]:
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
