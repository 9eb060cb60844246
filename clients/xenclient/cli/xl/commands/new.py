"""xl new, start, delete: domains that are configured, in the directory of configurations (xm's words)."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command, Option
from xenclient.cli.xl.creation import create
from xenclient.cli.xl.each import for_each
from xenclient.cli.xl.errors import log_map
from xenclient.cli.xl.operation import perform
from xenclient.cli.xl.printing import clean, write
from xenclient.cli.xl.source import read_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def new(call: Call) -> int:
    given = read_source(call.arguments[0]).parameters()
    parameters: dict[str, Any] = {key: given[key] for key in ("text", "name", "directory") if key in given}
    made = call.client.call("managed.new", **parameters)
    for warning in made["warnings"]:
        log_map(warning, f"{call.settings.program}: warning")
    write(clean(f"{made['name']} is configured in {made['path']}\n"))
    return 0


NEW = Command("FILE", new)


def start(call: Call) -> int:
    def start_one(name: str) -> None:
        found = call.client.call("managed.read", name=name)
        parameters: dict[str, Any] = {
            "text": found["text"],
            "name": found["file"],
            "path": found["path"],
            "directory": found["directory"],
        }
        if call.dry_run:
            perform(call, "domain.create", **parameters)
        else:
            create(call, parameters)

    if call.given("console") and len(call.arguments) > 1:
        raise call.usage_error("one domain with -c, whose console it is")
    return for_each(call, call.arguments, start_one)


START = Command(
    "NAME [...]",
    start,
    Option("p", "paused", "leave the domain paused"),
    Option("c", "console", "attach to its console"),
    DRY_RUN,
)


def delete(call: Call) -> int:
    def delete_one(name: str) -> None:
        removed = call.client.call("managed.delete", name=name)["removed"]
        write(clean("".join(f"removed {path}\n" for path in removed)))

    return for_each(call, call.arguments, delete_one)


DELETE = Command("NAME [...]", delete)
