"""xl restore: a domain goes on that was saved to a file."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, JSON, Command, Option
from xenclient.cli.xl.configurations import configuration_text
from xenclient.cli.xl.creation import create_as_asked
from xenclient.cli.xl.operation import perform, plan
from xenclient.cli.xl.printing import log
from xenclient.cli.xl.source import absolute_path, read_source
from xenclient.cli.xl.viewer import viewer_asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(call: Call) -> int:
    program = viewer_asked(call)  # before anything is done
    *config, file = call.arguments
    parameters: dict[str, Any] = {"file": absolute_path(file)}
    if config:
        parameters |= read_source(config[0]).parameters()
    if call.dry_run:
        perform(call, "domain.restore", **parameters)
        return 0
    if call.given("debug"):
        log(configuration_text(call, plan(call, "domain.restore", **parameters)["config"]))
    create_as_asked(call, parameters, program, "domain.restore")
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
