"""xl save: a domain as a file, which ends it unless it is a checkpoint."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command, Option
from xenclient.cli.xl.creation import perform_or_undo
from xenclient.cli.xl.operation import perform
from xenclient.cli.xl.source import absolute_path, read_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(call: Call) -> int:
    import signal

    if call.given("D"):
        raise call.usage_error("-D: a domain that is restored gets another domid; its name and UUID stay")
    domain, file, *more = call.arguments
    parameters: dict[str, Any] = {"domain": domain, "file": absolute_path(file)}
    if more:
        parameters |= read_source(more[0]).parameters()
    if call.given("checkpoint"):
        parameters["checkpoint"] = True
    if call.given("paused"):
        parameters["paused"] = True
    if call.dry_run:
        perform(call, "domain.save", **parameters)
        return 0
    # Who ends this program before its time, as start scripts do, wants the domain to run on.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    perform_or_undo(call, "domain.save", parameters)
    return 0


SAVE = Command(
    "DOM FILE [CONFIG]",
    run,
    Option("c", "checkpoint", "let it run on once it is saved"),
    Option("p", "paused", "leave it paused once it is saved"),
    Option("D", "", "refused: a domain that is restored gets another domid"),
    DRY_RUN,
)
