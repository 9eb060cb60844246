"""domain.monitor_command: a command for the monitor of a domain's device model, in its own words."""

import attrs

from xend.domain.model_talk import model_of, talk
from xend.domain.target import Target
from xend.errors import XendError
from xend.host import Host
from xend.model.qmp import QmpError
from xend.operation.facts import Facts
from xend.operation.steps import Step, Work
from xend.validators import typed

#: The longest one, in bytes, and what is told of its answer, in characters.
MAX_COMMAND_BYTES = 4096
_OUTPUT_CHARS = 1 << 18


@attrs.define(kw_only=True)
class MonitorFacts(Facts):
    """Those of domain.monitor_command."""

    KIND = "domain.monitor_command"

    command: str = attrs.field(validator=typed(str))


async def prepare_monitor(host: Host, target: Target, command: str) -> MonitorFacts:
    """Raises: XendError: bad_request: it is none; wrong_state, device_failed: nobody would hear it."""
    if not command.strip() or "\n" in command or len(command.encode(errors="replace")) > MAX_COMMAND_BYTES:
        raise XendError(
            "bad_request",
            f"a command of one line with up to {MAX_COMMAND_BYTES} bytes was expected",
            domain=target.name,
        )
    model_of(host, target.domid, target.name)
    return MonitorFacts(**target.identity, command=command)


def monitor_steps(host: Host, facts: MonitorFacts) -> list[Step]:
    """What it answers is the operation's result."""

    async def ask(work: Work) -> None:
        assert facts.domid is not None
        async with talk(host, work, facts.domid, facts.name) as conversation:
            answer = await conversation.ask("human-monitor-command", **{"command-line": facts.command})
            if not isinstance(answer, str):
                raise QmpError("human-monitor-command: it answers no text")
        work.result["output"] = answer[:_OUTPUT_CHARS]

    return [Step("ask", "give its device model the command", ask)]
