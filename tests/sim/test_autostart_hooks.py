"""Hooks before a domain is created, and after it has come up."""

import os
import re
from collections.abc import Mapping, Sequence

import pytest
import trio

from tests.sim.autostarting import ALREADY, UP, outcomes, put, start
from tests.sim.world import Scripts, World, play
from xend.autostart.hooks import HOOK_SECONDS
from xend.errors import XendError
from xend.host import ScriptOutcome


class HookScripts(Scripts):
    """Plays hooks too: what each does, by its file's name."""

    async def run(self, argv: Sequence[str], environment: Mapping[str, str], seconds: float) -> ScriptOutcome:
        name = os.path.basename(argv[0])
        if not name.endswith(("-pre", "-post")):
            return await super().run(argv, environment, seconds)
        self.calls.append(list(argv))
        match self.behaviours.get(name):
            case "fail":
                return ScriptOutcome(3, "no such volume")
            case "hang":
                await trio.sleep(seconds)
                raise XendError("script_failed", f"{argv[0]} did not end within {seconds:g} s and was killed")
        return ScriptOutcome(0, "")


async def with_hooks(world: World, *names: str) -> HookScripts:
    await world.kill_xend()
    world.scripts = scripts = HookScripts(world.client)
    await world.start_xend()
    for name in names:
        path = world.directory / name
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return scripts


HOOKS = {"prehook": "%s-pre", "posthook": "%s-post"}


def test_hooks_run_before_and_after_for_those_that_have_them() -> None:
    async def body(world: World) -> None:
        scripts = await with_hooks(world, "db-pre", "db-post")
        put(world, "db", 'name="database"')
        put(world, "web")
        assert await start(world, "db", "web", **HOOKS) == {"db": UP, "web": UP}
        hooks = [argv for argv in scripts.calls if argv[1] == "db"]
        assert hooks == [[f"{world.directory}/db-{when}", "db"] for when in ("pre", "post")]
        assert scripts.calls[0] == hooks[0]
        assert await start(world, "db", **HOOKS) == {"db": ALREADY}
        assert [argv for argv in scripts.calls if argv[1] == "db"] == hooks

    play(body)


@pytest.mark.parametrize("behaviour", ["fail", "hang"])
def test_a_hook_before_keeps_a_domain_down_and_one_after_is_a_warning(behaviour: str) -> None:
    async def body(world: World) -> None:
        scripts = await with_hooks(world, "db-pre", "mail-post")
        put(world, "db")
        put(world, "web", 'autostart_after=["db"]')
        put(world, "mail")
        scripts.behaviours |= {"db-pre": behaviour, "mail-post": behaviour}
        began = world.now()
        rows = await world.call("autostart.start", names=["db", "web", "mail"], **HOOKS)
        found = outcomes(rows)
        said = {"fail": "ended with status 3", "hang": f"did not end within {HOOK_SECONDS:g} s"}[behaviour]
        assert found["db"][0] == "failed"
        assert said in (found["db"][1] or "")
        assert found["web"][0] == "not-started"
        assert found["mail"][0] == "up"
        assert said in (found["mail"][1] or "")
        if behaviour == "fail":
            assert rows[0]["error"]["script_output"] == "no such volume"
        assert world.now() - began < HOOK_SECONDS * 1.5
        assert await world.names() == ["mail"]

    play(body)


REFUSED = [
    ({"prehook": "pre"}, 'prehook "pre": one %s was expected'),
    ({"posthook": "%d"}, "one %s was expected"),
    ({"posthook": "%s%s"}, "one %s was expected"),
    ({"prehook": "/tmp/%s"}, "the name of a file in the configuration directory"),
    ({"prehook": "../%s"}, "the name of a file in the configuration directory"),
]


@pytest.mark.parametrize(("params", "message"), REFUSED)
def test_a_format_of_hooks_that_is_none(params: dict[str, str], message: str) -> None:
    async def body(world: World) -> None:
        with pytest.raises(XendError, match=re.escape(message)):
            await world.call("autostart.start", names=["db"], **params)

    play(body)
