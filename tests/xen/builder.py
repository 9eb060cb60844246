"""Runs in dom0: makes domains with xend's helper, and says what came of it, one JSON object a line.

`python -m tests.xen.builder FILE`: FILE is a JSON list of orders, each {"do": name, ...}; see `Builder`.
"""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import attrs
import trio

from xenclient.store.blocking import Client
from xend._guest import Handle
from xend.hypervisor import Blueprint, HypervisorError, Image, Rings
from xend.hypervisor.xen import process
from xend.hypervisor.xen.helpers import Helpers

_LIBRARY = ctypes.CDLL("libxenctrl.so.4.17", use_errno=True)
_LIBRARY.xc_interface_open.restype = ctypes.c_void_p
_XEN = ctypes.c_void_p(_LIBRARY.xc_interface_open(None, None, 0))


def _call(function: str, *arguments: Any) -> None:
    if getattr(_LIBRARY, function)(_XEN, *arguments) < 0:
        raise OSError(ctypes.get_errno(), function)


def create(blueprint: Blueprint) -> int:
    """What xend's driver does before a build (domain-build.md 1, steps 1 to 3), for Xen 4.17."""
    is_hvm = blueprint.type == "pvh"
    words = [3 if is_hvm else 0, 0, blueprint.max_vcpus, 1023, 64, 1024, 2, 0, 0, 1 if is_hvm else 0, 0]
    record = bytes(4) + uuid4().bytes + b"".join(word.to_bytes(4, "little") for word in words)
    domid = ctypes.c_uint32(0)
    _call("xc_domain_create", ctypes.byref(domid), ctypes.create_string_buffer(record, 64))
    _call("xc_domain_max_vcpus", domid, ctypes.c_uint(blueprint.max_vcpus))
    _call("xc_domain_setmaxmem", domid, ctypes.c_uint64(blueprint.max_memory_kib + 1024))
    return domid.value


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

    def __init__(self, handle: Handle) -> None:
        self.helpers = Helpers(lambda line: print("LOG", line, file=sys.stderr))
        self.handle = handle

    async def do(self, order: dict[str, Any]) -> dict[str, Any]:
        method = getattr(self, "do_" + order.pop("do"))
        began = time.monotonic()
        try:
            said: dict[str, Any] = await method(**order)
        except HypervisorError as error:
            said = {"errno": error.errno, "text": error.text}
        return said | {"seconds": round(time.monotonic() - began, 2)}

    async def do_check(self, release: str) -> dict[str, Any]:
        await self.helpers.check(release)
        return {}

    async def do_refused(self, **fields: Any) -> dict[str, Any]:
        """A build that fails; nothing is left of it."""
        with self.created(fields) as (domid, image):
            await self.helpers.build(domid, image)
        return {"built": True}

    async def do_live(self, commands: list[str] = [], dump: str = "", **fields: Any) -> dict[str, Any]:  # noqa: B006
        """A domain that comes up; what it answers to commands, and its core."""
        with self.created(fields) as (domid, image):
            built = time.monotonic()
            self.helpers.prepare()
            rings = await self.helpers.build(domid, image)
            said: dict[str, Any] = {"rings": attrs.asdict(rings), "built_s": round(time.monotonic() - built, 2)}
            with Client() as store:
                self.introduce(store, domid, image, rings)
                _call("xc_domain_unpause", ctypes.c_uint32(domid))
                said["up"] = self.until(store, f"/local/domain/{domid}/data/state", "up")
                said["answers"] = [
                    self.ask(store, domid, number + 1, text) for number, text in enumerate(commands)
                ]
                said["pages"] = self.handle.domain(domid)
                if dump:
                    _call("xc_domain_pause", ctypes.c_uint32(domid))
                    await self.helpers.dump_core(domid, dump)
                    try:
                        await self.helpers.dump_core(domid, dump)
                    except HypervisorError as error:
                        said["again"] = [error.errno, error.text]
                    said["left"] = os.listdir(os.path.dirname(dump))
        return said

    async def do_twice(self, **fields: Any) -> dict[str, Any]:
        with self.created(fields) as (domid, image):
            await self.helpers.build(domid, image)
            await self.helpers.build(domid, image)
        return {}

    async def do_killed(self, step: str, **fields: Any) -> dict[str, Any]:
        """The helper is killed at a step."""
        with self.created(fields) as (domid, image):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.kill_at, step)
                try:
                    await self.helpers.build(domid, image)
                except HypervisorError as error:
                    return {"errno": error.errno, "text": error.text}
                finally:
                    nursery.cancel_scope.cancel()
        return {"built": True}

    async def do_cancelled(self, step: str, **fields: Any) -> dict[str, Any]:
        """The build is cancelled at a step; how long that takes."""
        with self.created(fields) as (domid, image), trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.helpers.build, domid, image)
                await self.at(step)
                began = time.monotonic()
                scope.cancel()
        return {"cancelled": scope.cancelled_caught, "end_s": round(time.monotonic() - began, 2)}

    async def do_abandoned(self, step: str, **fields: Any) -> dict[str, Any]:
        """This process is killed at a step of a build (its domain is destroyed by whoever finds it)."""
        with self.created(fields) as (domid, image):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.helpers.build, domid, image)
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

    @contextmanager
    def created(self, fields: dict[str, Any]) -> Iterator[tuple[int, Image]]:
        keys = {field.name for field in attrs.fields(Blueprint)}
        made = {"max_vcpus": 1, **{key: value for key, value in fields.items() if key in keys}}
        made.setdefault("max_memory_kib", fields["memory_kib"])
        rest = {key: value for key, value in fields.items() if key not in keys}
        blueprint = Blueprint(uuid=str(uuid4()), **made)
        image = Image(**({"blueprint": blueprint, "vcpus": blueprint.max_vcpus} | rest))
        domid = create(blueprint)
        _STARTED.clear()
        try:
            yield domid, image
        finally:
            _call("xc_domain_destroy", ctypes.c_uint32(domid))
            with Client() as store:
                self.remove(store, domid)

    def introduce(self, store: Client, domid: int, image: Image, rings: Rings) -> None:
        home = f"/local/domain/{domid}"
        with store.transaction() as tx:
            tx.mkdir(home)
            tx.set_perms(home, ["n0", f"r{domid}"])
            for name in ("data", "control/shutdown", "device", "error"):
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


async def main(path: str) -> None:
    with open(path) as file:
        orders = json.load(file)
    builder = Builder(Handle())
    for order in orders:
        print(json.dumps(await builder.do(order)), flush=True)
    await builder.helpers.close()


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
