"""xl vncviewer: show a domain's screen."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import Command, Option
from xenclient.cli.xl.viewer import screen_of, viewer


def run(call: Call) -> int:
    with_password = call.given("autopass") or call.given("vncviewer-autopass")
    screen = screen_of(call, call.arguments[0], with_password)
    screen.replace_by(viewer())
    return 0


VNCVIEWER = Command(
    "DOM",
    run,
    Option("a", "autopass", "tell the viewer the password of the domain's screen"),
    Option("", "vncviewer-autopass", "the same"),
)
