"""Runs in dom0: makes domains with xend's helper, and says what came of it, one JSON object a line.

`python -m tests.xen.builder FILE`: FILE is a JSON list of orders, each {"do": name, ...}; see `Builder`.
"""

import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
import trio

from xenclient.store.blocking import Client
from xend.hypervisor import Blueprint, DomainInfo, HypervisorError, Image, Rings
from xend.hypervisor.xen import process
from xend.hypervisor.xen.driver import Xen
from xend.hypervisor.xen.helpers import Helpers
from xend.hypervisor.xen.opening import open_xen

#: What a guest's kernel writes to, below its home.
OWN = ("data", "control/shutdown", "control/feature-poweroff", "control/feature-reboot", "device", "error")


def nodes(domid: int, image: Image, rings: Rings) -> dict[str, str]:
    """What a guest's kernel looks for in the store."""
    home = f"/local/domain/{domid}"
    own = {
        "name": f"built-{domid}",
        "domid": str(domid),
        "memory/target": str(image.memory_kib),
        "memory/static-max": str(image.blueprint.max_memory_kib),
        "store/port": str(rings.store_port),
        "store/ring-ref": str(rings.store_gfn),
        "console/port": str(rings.console_port),
        "console/ring-ref": str(rings.console_gfn),
        "console/type": "xenconsoled",
        "console/limit": "1048576",
        "console/output": "pty",
    }
    for vcpu in range(image.blueprint.max_vcpus):
        own[f"cpu/{vcpu}/availability"] = "online" if vcpu < image.vcpus else "offline"
    return {f"{home}/{name}": value for name, value in own.items()}


class Builder:
    """Does orders; each returns what is said."""

    def __init__(self, xen: Xen) -> None:
        self.xen = xen

    async def do(self, order: dict[str, Any]) -> dict[str, Any]:
        method = getattr(self, "do_" + order.pop("do"))
        began = time.monotonic()
        try:
            said: dict[str, Any] = await method(**order)
        except HypervisorError as error:
            said = {"errno": error.errno, "text": error.text}
        return said | {"seconds": round(time.monotonic() - began, 2)}

    async def do_check(self, release: str) -> dict[str, Any]:
        helpers = Helpers(print)
        try:
            await helpers.check(release)
        finally:
            await helpers.close()
        return {}

    async def do_refused(self, **fields: Any) -> dict[str, Any]:
        """A build that fails; nothing is left of it."""
        async with self.created(fields) as (domid, image):
            await self.xen.build(domid, image)
        return {"built": True}

    async def do_live(self, commands: list[str] = [], dump: str = "", **fields: Any) -> dict[str, Any]:  # noqa: B006
        """A domain that comes up; what it answers to commands, and its core."""
        async with self.created(fields) as (domid, image):
            built = time.monotonic()
            rings = await self.xen.build(domid, image)
            said: dict[str, Any] = {
                "rings": attrs.asdict(rings),
                "built_s": round(time.monotonic() - built, 2),
            }
            with Client() as store:
                self.introduce(store, domid, image, rings)
                await self.xen.unpause(domid)
                said["up"] = self.until(store, f"/local/domain/{domid}/data/state", "up")
                said["answers"] = [
                    self.ask(store, domid, number + 1, text) for number, text in enumerate(commands)
                ]
                said["info"] = attrs.asdict(await self.info(domid))
                if dump:
                    await self.xen.dump_core(domid, dump)
                    try:
                        await self.xen.dump_core(domid, dump)
                    except HypervisorError as error:
                        said["again"] = [error.errno, error.text]
                    said["is_paused"] = (await self.info(domid)).is_paused
                    said["left"] = os.listdir(os.path.dirname(dump))
        return said

    async def do_twice(self, **fields: Any) -> dict[str, Any]:
        async with self.created(fields) as (domid, image):
            await self.xen.build(domid, image)
            await self.xen.build(domid, image)
        return {}

    async def do_killed(self, step: str, **fields: Any) -> dict[str, Any]:
        """The helper is killed at a step."""
        async with self.created(fields) as (domid, image), trio.open_nursery() as nursery:
            nursery.start_soon(self.kill_at, step)
            try:
                await self.xen.build(domid, image)
            except HypervisorError as error:
                return {"errno": error.errno, "text": error.text}
            finally:
                nursery.cancel_scope.cancel()
        return {"built": True}

    async def do_cancelled(self, step: str, **fields: Any) -> dict[str, Any]:
        """The build is cancelled at a step; how long that takes."""
        async with self.created(fields) as (domid, image):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.xen.build, domid, image)
                    await self.at(step)
                    began = time.monotonic()
                    scope.cancel()
        return {"cancelled": scope.cancelled_caught, "end_s": round(time.monotonic() - began, 2)}

    async def do_abandoned(self, step: str, **fields: Any) -> dict[str, Any]:
        """This process is killed at a step of a build (its domain is destroyed by whoever finds it)."""
        async with self.created(fields) as (domid, image), trio.open_nursery() as nursery:
            nursery.start_soon(self.xen.build, domid, image)
            helper = await self.at(step)
            print(json.dumps({"domid": domid, "pid": helper.pid}), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return {}

    async def kill_at(self, step: str) -> None:
        helper = await self.at(step)
        os.kill(helper.pid, signal.SIGKILL)

    async def at(self, step: str) -> process.Helper:
        while True:
            for helper in list(_STARTED):
                if helper.step == step:
                    return helper
            await trio.sleep(0.001)

    async def info(self, domid: int) -> DomainInfo:
        info = await self.xen.domain(domid)
        assert info is not None
        return info

    @asynccontextmanager
    async def created(self, fields: dict[str, Any]) -> AsyncIterator[tuple[int, Image]]:
        keys = {field.name for field in attrs.fields(Blueprint)}
        made = {"max_vcpus": 1, **{key: value for key, value in fields.items() if key in keys}}
        made.setdefault("max_memory_kib", fields["memory_kib"])
        rest = {key: value for key, value in fields.items() if key not in keys}
        blueprint = Blueprint(uuid=str(uuid4()), **made)
        rest.setdefault("vcpus", blueprint.max_vcpus)
        image = Image(blueprint=blueprint, **rest)
        _STARTED.clear()
        domid = await self.xen.create(blueprint)
        try:
            yield domid, image
        finally:
            with trio.CancelScope(shield=True):
                await self.xen.destroy(domid)
            with Client() as store:
                self.remove(store, domid)

    def introduce(self, store: Client, domid: int, image: Image, rings: Rings) -> None:
        home = f"/local/domain/{domid}"
        with store.transaction() as tx:
            tx.mkdir(home)
            tx.set_perms(home, ["n0", f"r{domid}"])
            for name in OWN:
                tx.mkdir(f"{home}/{name}")
                tx.set_perms(f"{home}/{name}", [f"n{domid}"])
            for path, value in nodes(domid, image, rings).items():
                tx.write(path, value)
        store.introduce(domid, rings.store_gfn, rings.store_port)

    def remove(self, store: Client, domid: int) -> None:
        if store.exists(f"/local/domain/{domid}"):
            store.rm(f"/local/domain/{domid}")

    def ask(self, store: Client, domid: int, number: int, command: str) -> str:
        home = f"/local/domain/{domid}/data"
        store.write(f"{home}/command", f"{number} {command}")
        return self.until(store, f"{home}/result", f"{number} ").partition("\n")[2]

    def until(self, store: Client, path: str, beginning: str) -> str:
        """Its value, once it begins so."""
        with store.watch(path) as watch:
            for _ in watch:
                value = store.read(path).decode() if store.exists(path) else ""
                if value.startswith(beginning):
                    return value
        raise AssertionError


_STARTED: list[process.Helper] = []


def _remember(helper: process.Helper, command: list[str]) -> None:
    _make(helper, command)
    _STARTED.append(helper)


_make = process.Helper.__init__
process.Helper.__init__ = _remember  # type: ignore[assignment, method-assign]


async def main(orders: list[dict[str, Any]]) -> None:
    async with open_xen(lambda line: print("LOG", line, file=sys.stderr)) as xen:
        builder = Builder(xen)
        for order in orders:
            print(json.dumps(await builder.do(order)), flush=True)


if __name__ == "__main__":
    trio.run(main, json.loads(Path(sys.argv[1]).read_text()))
