"""Line by line, for programs: the header and the domains, at once and then after each delay."""

from __future__ import annotations

from xenclient.cli.top.figures import figures
from xenclient.cli.top.host_cpus import busy_percents, table
from xenclient.cli.top.lines import Lines
from xenclient.cli.xl.printing import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from xenclient.cli.top.choices import Choices
    from xenclient.xend.blocking import Client


def look(client: Client, choices: Choices) -> dict[str, Any]:
    """What stats.list answers.  Raises: ClientError."""
    answer: dict[str, Any] = client.call("stats.list", vcpus=choices.vcpus, cpus=choices.pcpus or None)
    return answer


def run(client: Client, choices: Choices, sleep: Callable[[float], object]) -> None:
    """Print until so many looks were taken as were chosen.

    Raises:
        ClientError: xend is gone, or refused.
        BrokenPipeError: nobody reads it.
    """
    lines, before, taken = Lines(choices), None, 0
    while True:
        answer = look(client, choices)
        write(lines.of(figures(answer, before)))
        if choices.pcpus:
            write("".join(f"{line}\n" for line in table(busy_percents(answer, before))))
        before = answer
        taken += 1
        if taken == choices.iterations:
            return
        sleep(choices.delay_s)
