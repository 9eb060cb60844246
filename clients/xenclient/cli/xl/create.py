"""xl create: the configuration's text, read here, goes to xend, which parses it."""

from __future__ import annotations

import os

from xenclient.cli.xl.printing import as_text, complain, write
from xenclient.cli.xl.source import read_source
from xenclient.xend.errors import BusError, ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from xenclient.cli.xl.call import Call

#: As Xen's xl indents.
INDENT = 4


def create(call: Call) -> int:
    """xl create."""
    file, assignments = _what(call)
    source = read_source(file)
    if not call.given("quiet"):
        complain(f"Parsing config from {source.path}\n")
    parameters: dict[str, Any] = {**source.parameters(), "extra": assignments}
    if call.given("dry-run"):
        call.preview("domain.create", **parameters)
        return 0
    if call.given("dryrun") or call.given("debug") or call.settings.dry_run:
        planned = call.plan("domain.create", **parameters)
        text = as_text(planned["config"], indent=INDENT) + "\n"
        if call.given("dryrun") or call.settings.dry_run:
            write(text)
            return 0
        complain(text)
    return _create(call, parameters)


def _what(call: Call) -> tuple[str, list[str]]:
    """The file, and the words that assign."""
    files = [word for word in call.arguments if "=" not in word]
    if (file := call.value("defconfig")) is not None:
        files.insert(0, file)
    if not files:
        raise call.usage("needs a configuration file; /dev/null is one")
    if len(files) > 1:
        raise call.usage(f"{files[1]!r} is neither an option nor KEY=VALUE")
    return files[0], [word for word in call.arguments if "=" in word]


def _create(call: Call, parameters: dict[str, Any]) -> int:
    if call.given("F"):
        from xenclient.cli.xl.life import Life

        # Before the domain is there, so that nothing of it is missed.
        life = Life(call.client)
        life.wait(_started(call, parameters)["uuid"])
        return 0
    _started(call, parameters)
    return 0


def _started(call: Call, parameters: dict[str, Any]) -> Mapping[str, Any]:
    """The domain, its console shown until it ends or is left, if that is wanted."""
    if not call.given("console"):
        return _made(call, {**parameters, "paused": call.given("paused")})
    # Paused until the console is there: nothing that it says is missed.
    made = _made(call, {**parameters, "paused": True})
    from xenclient.cli.xl.console import attach

    waiting = [] if call.given("paused") else [made["domid"]]

    def run() -> None:
        while waiting:
            call.client.call("domain.unpause", domain=waiting.pop())

    try:
        attach(call.client, made["domid"], run)
    except ClientError:
        # Without its console it runs all the same.
        run()
        raise
    return made


def _made(call: Call, parameters: dict[str, Any]) -> Mapping[str, Any]:
    """The domain; an interrupt has it undone."""
    parameters = {**parameters, "key": os.urandom(16).hex()}
    try:
        return call.operate("domain.create", **parameters)
    except KeyboardInterrupt:
        complain(f"{call.settings.program}: interrupted; what was made is undone\n")
        _undo(call, parameters)
        raise


def _undo(call: Call, parameters: dict[str, Any]) -> None:
    """Cancel the operation, and wait until it is undone."""
    client = call.another_client()
    # The same call with the same key does nothing itself, and names the operation.
    operation = client.call("domain.create", wait_for="accepted", **parameters)["operation"]
    client.call("operation.cancel", operation=operation)
    try:
        client.call("operation.wait", operation=operation)
    except BusError as error:
        if error.code != "cancelled":
            raise
