"""xl restore: a domain goes on that was saved to a file."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, JSON, Command, Option
from xenclient.cli.xl.configurations import configuration_text
from xenclient.cli.xl.creation import create, wait_until_gone
from xenclient.cli.xl.operation import perform, plan
from xenclient.cli.xl.printing import log
from xenclient.cli.xl.source import absolute_path, read_source
from xenclient.cli.xl.viewer import screen_of, viewer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def run(call: Call) -> int:
    with_password = call.given("vncviewer-autopass")
    program = viewer() if with_password or call.given("vncviewer") else None  # before anything is done
    *config, file = call.arguments
    parameters: dict[str, Any] = {"file": absolute_path(file)}
    if config:
        parameters |= read_source(config[0]).parameters()
    if call.dry_run:
        perform(call, "domain.restore", **parameters)
        return 0
    if call.given("debug"):
        log(configuration_text(call, plan(call, "domain.restore", **parameters)["config"]))

    def show(created: Mapping[str, Any]) -> None:
        if program is not None:
            screen_of(call, created["domid"], with_password).start(program)

    if call.given("F"):
        # Followed before the domain is there, so that no event is missed.
        events = call.client.events(kinds=["domain"])
        created = create(call, parameters, "domain.restore", show)
        call.show(created, "")
        wait_until_gone(events, created["uuid"])
    else:
        call.show(create(call, parameters, "domain.restore", show), "")
    return 0


RESTORE = Command(
    "[CONFIG] FILE",
    run,
    Option("p", "paused", "leave the domain paused"),
    Option("c", "console", "attach to its console"),
    Option("d", "debug", "print the configuration as JSON"),
    Option("e", "", "accepted: xend, not xl, waits for the domain's end"),
    Option("F", "", "wait until the domain is gone"),
    Option("V", "vncviewer", "show its screen in the viewer that is installed"),
    Option("A", "vncviewer-autopass", "the same, and tell the viewer the screen's password"),
    JSON,
    DRY_RUN,
)
