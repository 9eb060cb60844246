"""xl create: the configuration's text, read here, goes to xend, which parses it."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, JSON, Command, Option
from xenclient.cli.xl.configurations import configuration_text
from xenclient.cli.xl.creation import create_as_asked
from xenclient.cli.xl.operation import perform, plan
from xenclient.cli.xl.printing import log, write
from xenclient.cli.xl.source import read_source
from xenclient.cli.xl.viewer import viewer_asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(call: Call) -> int:
    program = viewer_asked(call)  # before anything is done
    file, assignments = _file_and_assignments(call)
    source = read_source(file)
    if not call.given("quiet"):
        log(f"Parsing config from {source.path}\n")
    parameters: dict[str, Any] = {**source.parameters(), "extra": assignments}
    if call.given("ignore-global-affinity-masks"):
        parameters["ignore_masks"] = True
    if call.given("dry-run"):
        perform(call, "domain.create", **parameters)
        return 0
    # -N before the sub-command prints the configuration, as Xen's xl does, and no steps.
    is_dry_run = call.given("dryrun") or call.settings.dry_run
    if is_dry_run or call.given("debug"):
        planned = plan(call, "domain.create", **parameters)
        text = configuration_text(call, planned["config"])
        if is_dry_run:
            write(text)
            return 0
        log(text)
    create_as_asked(call, parameters, program)
    return 0


CREATE = Command(
    "FILE [KEY=VALUE ...]",
    run,
    Option("f", "defconfig", "the configuration file", "FILE"),
    Option("p", "paused", "leave the domain paused"),
    Option("c", "console", "attach to its console"),
    Option("n", "dryrun", "print the configuration as JSON, create nothing"),
    Option("q", "quiet", "do not name the configuration file"),
    Option("d", "debug", "print the configuration as JSON too"),
    Option("e", "", "accepted: xend, not xl, waits for the domain's end"),
    Option("F", "", "wait until the domain is gone"),
    Option("V", "vncviewer", "show its screen in the viewer that is installed"),
    Option("A", "vncviewer-autopass", "the same, and tell the viewer the screen's password"),
    Option("i", "ignore-global-affinity-masks", "pass over vm.cpumask and its like in xl.conf"),
    JSON,
    DRY_RUN,
    least=0,  # -f may name the file
)


def _file_and_assignments(call: Call) -> tuple[str, list[str]]:
    files = [word for word in call.arguments if "=" not in word]
    if (file := call.value("defconfig")) is not None:
        files.insert(0, file)
    if not files:
        raise call.usage_error("needs a configuration file; /dev/null is one")
    if len(files) > 1:
        raise call.usage_error(f"{files[1]!r} is neither an option nor KEY=VALUE")
    return files[0], [word for word in call.arguments if "=" in word]
