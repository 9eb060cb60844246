"""Domains that are configured: put there, changed, removed, started with the host, and why they are down."""

import os
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.sim.world import World, play
from xend.errors import XendError
from xend.managed.fates import MAX_NAMES, Fates

WEB = 'name = "web"\nkernel = "/netbsd"\nmemory = 64\n'
OTHER = 'kernel = "/netbsd"\n'


async def listed(world: World) -> dict[str, Any]:
    return {each["name"]: each for each in await world.call("managed.list")}


async def refused(world: World, method: str, **params: Any) -> str:
    """The code and the message of the error."""
    before = sorted((path, path.read_bytes()) for path in world.directory.glob("*") if path.is_file())
    with pytest.raises(XendError) as caught:
        await world.call(method, **params)
    assert sorted((path, path.read_bytes()) for path in world.directory.glob("*") if path.is_file()) == before
    return f"{caught.value.code}: {caught.value.message}".replace(str(world.directory), "DIR")


def test_a_configuration_is_put_changed_and_removed() -> None:
    async def body(world: World) -> None:
        made = await world.call("managed.new", text=WEB, name="any.cfg", directory="/root")
        path = world.directory / "web"
        assert made == {"name": "web", "path": str(path), "warnings": []}
        assert (path.read_text(), oct(path.stat().st_mode & 0o777)) == (WEB, "0o640")
        made = await world.call("managed.new", text=OTHER + "dhcp = 1\n", name="other")
        assert (world.directory / "other").read_text() == f'name = "other"\n{OTHER}dhcp = 1\n'
        assert [each["option"] for each in made["warnings"]] == ["dhcp"]

        (world.directory / "third").write_text("what\n")
        (world.directory / "xl.conf").write_text("autoballoon=0\n")
        assert await refused(world, "managed.new", text=WEB) == (
            "name_in_use: domain web is configured already, in DIR/web"
        )
        assert await refused(world, "managed.new", text=OTHER, name="third") == (
            "name_in_use: DIR/third exists already"
        )
        assert "expected a number" in await refused(world, "managed.new", text=WEB + "vcpus = 'x'")
        moved = {"text": OTHER + "ramdisk='rd'", "name": "x", "directory": "/vm"}
        assert (await refused(world, "managed.new", **moved)).startswith(
            "bad_config: DIR/rd would be looked for, as its name is relative and the file comes to stand in"
        )
        assert "no domain nobody is configured in DIR" in await refused(world, "managed.read", name="nobody")

        read = await world.call("managed.read", name="web")
        assert (read["text"], read["file"], read["path"]) == (WEB.encode(), "web", str(path))
        was = read["digest"]
        wrong = {"name": "web", "was": was}
        assert "vcpus" in await refused(world, "managed.replace", text=WEB + "vcpus = 0\n", **wrong)
        assert await refused(world, "managed.replace", text=WEB.replace("web", "other"), **wrong) == (
            "name_in_use: domain other is configured already, in DIR/other"
        )
        path.chmod(0o600)
        done = await world.call("managed.replace", name="web", text=WEB + "vcpus = 2\n", was=was)
        assert done == {"name": "web", "path": str(path), "is_up": False, "warnings": []}
        assert (path.read_text(), oct(path.stat().st_mode & 0o777)) == (WEB + "vcpus = 2\n", "0o600")
        assert await refused(world, "managed.replace", text=WEB, **wrong) == (
            "wrong_state: DIR/web was changed by somebody else meanwhile"
        )
        found = await listed(world)
        assert list(found) == ["other", "third", "web"]
        assert (found["web"]["vcpus"], found["web"]["memory_kib"]) == (2, 64 << 10)
        assert found["third"]["error"]["message"].startswith(f"{world.directory}/third:1: ")

        (world.directory / "again").write_text(WEB)
        assert await refused(world, "managed.read", name="web") == (
            "bad_config: DIR/again and DIR/web are both for web"
        )
        assert (await world.call("managed.read", name=str(path)))["file"] == "web"
        removed = await world.call("managed.delete", name="again")
        assert removed == {"name": "web", "removed": [str(world.directory / "again")]}
        path.chmod(0o666)
        assert (await listed(world))["web"]["error"]["code"] == "bad_config"
        (world.directory / "again").write_text(WEB)
        assert await refused(world, "managed.read", name="web") == (
            "bad_config: DIR/again and DIR/web are both for web"
        )
        assert not [name for name in os.listdir(world.directory) if name.startswith(".")]

    play(body)


def test_which_start_with_the_host() -> None:
    async def body(world: World) -> None:
        for name in ("web", "db"):
            await world.call("managed.new", text=WEB.replace("web", name))
        auto = world.directory / "auto"
        for changed in (True, False):
            assert await world.call("autostart.enable", names=["web"]) == [
                {"name": "web", "file": "web", "changed": changed}
            ]
        assert os.readlink(auto / "web") == "../web"
        assert {name: row["autostart"] for name, row in (await listed(world)).items()} == {
            "web": True,
            "db": False,
        }
        assert (await world.call("autostart.start", dry_run=True))["steps"] == ["start web"]
        assert "no domain x" in await refused(world, "autostart.enable", names=["db", "x"])
        assert os.listdir(auto) == ["web"]
        (auto / "db").symlink_to("/elsewhere")
        assert "leads to another file" in await refused(world, "autostart.enable", names=["db"])
        (auto / "db").unlink()
        for changed in (True, False):
            (row,) = await world.call("autostart.disable", names=["web"])
            assert row["changed"] is changed
        (auto / "own").write_text(WEB.replace("web", "own"))
        (auto / "own").chmod(0o644)
        assert (await listed(world))["own"]["autostart"]
        assert "is the configuration itself" in await refused(world, "autostart.disable", names=["own"])
        await world.call("autostart.enable", names=["web"])
        removed = (await world.call("managed.delete", name="web"))["removed"]
        assert removed == [str(auto / "web"), str(world.directory / "web")]
        assert (await world.call("managed.delete", name="own"))["removed"] == [str(auto / "own")]
        assert os.listdir(auto) == []

    play(body)


def test_why_they_are_down() -> None:
    async def body(world: World) -> None:
        async def end() -> tuple[object, ...]:
            row = (await listed(world))["web"]
            end = row["end"] or {"what": None, "reason": None}
            return row["up"], end["what"], end["reason"]

        await world.call("managed.new", text=WEB)
        assert await end() == (False, None, None)
        await world.create(WEB)
        assert await end() == (True, None, None)
        assert "runs" in await refused(world, "managed.delete", name="web")
        await trio.sleep(5)
        await world.call("domain.shutdown", domain="web", wait=True)
        await trio.sleep(5)
        assert await end() == (False, "shutdown", "poweroff")
        at = (await listed(world))["web"]["end"]["at"]
        assert 0 <= world.xend.host.wall_clock() - at < 10
        await world.kill_xend()
        await world.start_xend()
        assert await end() == (False, "shutdown", "poweroff")
        await world.create(WEB)
        await world.call("domain.destroy", domain="web")
        assert await end() == (False, "destroyed", None)
        os.unlink(world.directory / "root/netbsd")
        with pytest.raises(XendError):
            await world.create(WEB)
        up, what, reason = await end()
        assert (up, what, "cannot be read" in str(reason)) == (False, "failed", True)
        await world.call("managed.delete", name="web")
        await world.call("managed.new", text=WEB)
        assert await end() == (False, None, None)

    play(body)


def test_what_is_remembered_of_ends(tmp_path: Path) -> None:
    logged: list[str] = []

    def fates() -> Fates:
        return Fates(tmp_path / "ends", lambda: 7.0, logged.append)

    first = fates()
    for number in range(MAX_NAMES + 3):
        first.failed(f"d{number}", "it\nbroke")
    assert (first.of("d2"), len(os.listdir(tmp_path / "ends"))) == (None, MAX_NAMES)
    first.heard("domain", "shutdown", name="a\n", domid=3, reason="crash")
    first.heard("domain", "destroyed", name="a\n", domid=4)
    first.heard("device", "destroyed", name="b")
    again = fates()
    assert (again.of("d9"), again.of("a\n"), again.of("b")) == (first.of("d9"), first.of("a\n"), None)
    fate = again.of("d9")
    assert fate is not None
    assert "\n" not in str(fate.reason)
    for path in (tmp_path / "ends").iterdir():
        path.write_bytes(b"\xff" if path.name < "8" else b"\x80")
    assert fates().of("d9") is None
    assert len(logged) == MAX_NAMES
    assert "cannot be used" in logged[0]


HIDDEN = ("auto", "README", "web.bak", "web~", "xl.conf", "xend-config", "cpupool", "xlexample1")


def test_what_would_not_be_seen_there_is_not_put_there() -> None:
    async def body(world: World) -> None:
        for name in HIDDEN:
            said = await refused(world, "managed.new", text=WEB.replace("web", name))
            assert said.startswith("bad_config: a file of the name ")
            assert not (world.directory / name).exists()
        for name in ("we'b", 'we"b', "we\\b", "w$b", """w'e"b""", 'x"; vcpus = "2'):
            try:
                made = await world.call("managed.new", text=OTHER, name=name)
            except XendError as error:
                assert error.code in ("bad_config", "bad_request")  # noqa: PT017 - either is fine
            else:
                assert (await world.call("managed.read", name=name))["path"] == made["path"]
                assert (await listed(world))[name]["error"] is None

    play(body)


def test_what_a_power_loss_left_of_a_change_is_not_in_the_way_of_the_next() -> None:
    async def body(world: World) -> None:
        (world.directory / f".web.{os.getpid()}").write_text("half")
        await world.call("managed.new", text=WEB)
        assert not [name for name in os.listdir(world.directory) if name.startswith(".")]

    play(body)
