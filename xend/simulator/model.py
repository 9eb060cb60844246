"""A simulated device model: it serves the devices of one domain and answers QMP, as qemu does.

What goes wrong is said by words, comma-separated, behind the argument -sim (device_model_args):

    exit=TEXT     it says TEXT and ends as it starts
    hang          it starts, and never says that it runs
    mute          it runs, and never answers QMP
    nonsense      it answers QMP with what is none
    flood         it answers QMP with events without end
    refuse        it refuses each command of QMP
    lie           it says that its screen is at no port, and its serial line a file
    late=TEXT     it says that it runs, takes the first connection, says TEXT and ends (as Debian's does that
                  cannot do a password of VNC)
    close=TEXT    it says that it runs, closes the first connection, says TEXT and ends half a second later
                  (as qemu does where a port of VNC is in use: its process ends after its sockets)
    die=SECONDS   it ends so long after it began to run
    die-at=COMMAND  it ends as it gets this command of QMP
    no-save       it cannot save its state; empty-state: it saves none
    no-load       it cannot go on with another one's
    no-cards      it cannot open the host's PCI devices; keeps-cards: its guest lets go of none
    locked        its guest has locked its CD drives
    refuse-reopen  it has no disk use another image
    stubborn      it takes no notice of SIGTERM
"""

import errno
import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import attrs
import trio

from xenclient.store.aio import Client, Transaction, Watch
from xenclient.store.errors import ClientError
from xenclient.store.operations import set_perms
from xend.device.nodes import children, value_of
from xend.model.image import FILES
from xend.simulator.backends import Drivers, Key
from xend.simulator.drivers import SECTOR_BYTES
from xend.simulator.model_answers import Answers, Refusal, word_behind
from xend.simulator.model_backends import Unreadable, kinds_over
from xenstore.errors import ENOENT, XenstoreError

__all__ = ["TREE", "Ended", "SimulatedModel", "faults_of"]

#: Of its command line: it sees Xen's devices, and the names of what it was given, and no other files.
TREE = "-sim-tree"
_FIRST_PORT = 5900
_CLOSE_SECONDS = 0.5
#: Backends for which qemu 7.2 opens the image, or Xen's devices, only once it serves.
_OPENED_LATER = ("qdisk", "console")
_BACKENDS = ("console", "vkbd", "9pfs", "qusb", "vfb", "qnic")


class Ended(Exception):
    """It ends; `status`: its exit status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def faults_of(argv: Sequence[str]) -> Mapping[str, str]:
    """The words behind -sim, and their values."""
    if "-sim" not in argv:
        return {}
    pairs = (word.partition("=") for word in argv[argv.index("-sim") + 1].split(","))
    return {name: value for name, _, value in pairs}


@attrs.define(eq=False)
class SimulatedModel:
    """One.

    Attributes:
        argv: its command line, as qemu's.
        client: a connection to the store with dom0's rights, which is entered.
        say: takes a line for its log.
        in_use: whether a port of VNC is taken.
        answers: what it says to commands, and was told by them.
    """

    argv: Sequence[str]
    client: Client
    say: Callable[[str], object]
    in_use: Callable[[int], bool] = lambda port: False
    faults: Mapping[str, str] = attrs.field(init=False)
    domid: str = attrs.field(init=False)
    port: int | None = attrs.field(init=False, default=None)
    answers: Answers = attrs.field(init=False)
    _drivers: Drivers | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.faults = faults_of(self.argv)
        self.domid = self._word("-xen-domid") or ""
        self.answers = Answers(self.argv, self.faults)

    async def run(self) -> None:
        """Serve, until cancelled.

        Raises:
            Ended.
        """
        if "exit" in self.faults:
            self._end(self.faults["exit"])
        self._listen()
        self._load()
        if "hang" in self.faults:
            await trio.sleep_forever()
        async with trio.open_nursery() as nursery, self.client.watch("backend", "backend") as watch:
            store = _Store(self.client, watch)
            drivers = _ModelDrivers(store, "linux", kinds=kinds_over(self), of=self.domid)
            drivers.say = self.say
            self._drivers = drivers
            if "-chroot" in self.argv and TREE not in self.argv:
                drivers.there = frozenset(await drivers.found())
            await self._introduce()
            if "die" in self.faults:
                nursery.start_soon(self._die, float(self.faults["die"]))
            async for event in watch:
                await drivers.handle(nursery, event.path, event.token)

    async def converse(self, stream: trio.abc.Stream) -> None:
        """One connection to its QMP socket, until that ends.

        Raises:
            Ended.
        """
        if "late" in self.faults:
            self._end(self.faults["late"])
        if "close" in self.faults:
            await stream.aclose()
            await trio.sleep(_CLOSE_SECONDS)
            self._end(self.faults["close"])
        if "mute" in self.faults:
            await trio.sleep_forever()
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await stream.send_all(_line({"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": []}}))
            received = bytearray()
            async for data in stream:
                received += data
                while (end := received.find(b"\n")) >= 0:
                    request = json.loads(received[:end])
                    del received[: end + 1]
                    await self._answer(stream, request)
        self.answers.forget_unused()

    async def _answer(self, stream: trio.abc.Stream, request: Mapping[str, object]) -> None:
        if "nonsense" in self.faults:
            await stream.send_all(b'{"return": [[[[\xff\x1b[2J\n')
        while "flood" in self.faults:
            await stream.send_all(_line({"event": "RTC_CHANGE", "data": "x" * 60000}))
        command, arguments = str(request["execute"]), request.get("arguments", {})
        assert isinstance(arguments, dict)
        if self.faults.get("die-at") == command:
            self._end(f"qemu: it was told to die at {command}")
        try:
            answer: dict[str, object] = {"return": await self._said_to(command, arguments)}
        except Refusal as refusal:
            answer = {"error": {"class": "GenericError", "desc": str(refusal)}}
        if "refuse" in self.faults:
            answer = {"error": {"class": "GenericError", "desc": "not today"}}
        await stream.send_all(_line({**answer, "id": request.get("id")}))

    async def _said_to(self, command: str, arguments: Mapping[str, Any]) -> object:
        if command != "query-blockstats":
            return self.answers.to(command, arguments, self.port)
        rows = [] if self._drivers is None else self._drivers.counted()
        top = f"/local/domain/0/backend/qdisk/{self.domid}"
        names = [await value_of(self.client, f"{top}/{devid}/dev") for _, _, devid, _ in rows]
        return [
            statistics_of((name or b"").decode(), "lie" in self.faults, counted)
            for name, (_, _, _, counted) in zip(names, rows, strict=True)
        ]

    def opened(self, path: str) -> int:
        """A descriptor of a file, which the caller closes.  Raises: OSError."""
        if path.startswith(FILES):
            return self.answers.opened(path)
        if "-chroot" in self.argv:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def closed(self, path: str) -> None:
        """An image is in nobody's use any more."""
        if path.startswith(FILES):
            self.answers.closed(path)

    def _listen(self) -> None:
        """Take the port of its screen."""
        words = (self._word("-vnc") or "none").split(",")
        if words == ["none"]:
            return
        port = _FIRST_PORT + int(words[0].rpartition(":")[2])
        last = port + 99 if any(word.startswith("to=") for word in words) else port
        while self.in_use(port):
            if port == last:
                self._end(f"-vnc {words[0]}: Failed to find an available port: Address already in use")
            port += 1
        self.port = port

    def _load(self) -> None:
        """Go on with a saved state, if there is one."""
        incoming = self._word("-incoming")
        if incoming is None:
            return
        try:
            self.answers.load(int(incoming.removeprefix("fd:")))
        except (ValueError, KeyError) as error:
            self.say(f"qemu: {error}")
            self._end("qemu: load of migration failed: Invalid argument")

    async def _introduce(self) -> None:
        """As qemu does in the store."""
        top = f"/local/domain/0/device-model/{self.domid}"
        for name in _BACKENDS:
            await self.client.write(f"{top}/backends/{name}", "")
            await self.client.together(set_perms(f"{top}/backends/{name}", ["n0", f"n{self.domid}"]))
        await self.client.write(f"{top}/state", "running")

    async def _die(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self._end("qemu: it was told to die")

    def _end(self, text: str) -> None:
        self.say(text)
        raise Ended(1)

    def _word(self, option: str) -> str | None:
        return word_behind(self.argv, option)


class _ModelDrivers(Drivers):
    """An image that cannot be read is said, and its disk is left alone.

    there: those for which qemu has opened what it needs, and it can open nothing more; None: it can.
    """

    say: Callable[[str], object]
    there: Collection[Key] | None = None

    async def found(self) -> list[Key]:
        """Those that are there now and are opened as qemu starts: the others are opened in its main loop."""
        return [key for key in await self._below([]) if key[0] not in _OPENED_LATER]

    def _is_ours(self, parts: Sequence[str]) -> bool:
        """But for a domain's first console, which is a console daemon's."""
        return super()._is_ours(parts) and (parts[0], *parts[2:3]) != ("console", "0")

    async def _look(self, key: Key) -> None:
        if self.there is not None and key not in self.there:
            self._busy.pop(key)
            self.say("xen be core: can't open gnttab device")
            return
        try:
            await super()._look(key)
        except Unreadable as error:
            self._backends.pop(key, None)
            self.say(f"qemu: failed to create '{key[0]}' device '{key[2]}': {error}")


class _Store:
    """The store as backends see it (xend.simulator.store_client), by a connection of a program's."""

    def __init__(self, client: Client, watch: Watch) -> None:
        self._client = client
        self._watch = watch

    async def read_all(self, paths: Sequence[str]) -> list[str | None]:
        values = [await value_of(self._client, path) for path in paths]
        return [None if value is None else value.decode("utf-8", "replace") for value in values]

    async def list(self, path: str) -> list[str]:
        return await children(self._client, path)

    async def write(self, path: str, value: str) -> None:
        await self._client.write(path, value)

    async def write_where(self, guard: str, nodes: Mapping[str, str]) -> bool:
        async def body(tx: Transaction) -> bool:
            try:
                await tx.read(guard)
            except ENOENT:
                return False
            for path, value in nodes.items():
                await tx.write(path, value)
            return True

        return await self._client.run_transaction(body)

    async def watch(self, path: str, token: str) -> None:
        with suppress(XenstoreError, ClientError):
            await self._watch.add(path, token)

    async def unwatch(self, path: str, token: str) -> None:
        with suppress(XenstoreError, ClientError):
            await self._watch.remove(path, token)


def statistics_of(name: str, is_lie: bool, counted: Mapping[str, int]) -> Mapping[str, object]:
    """What a disk has done, as qemu says it."""
    return {
        "device": "",
        "node-name": f"{name}-qcow2",
        "stats": {
            "rd_operations": "many" if is_lie else counted["reads"],
            "wr_operations": counted["writes"],
            "rd_bytes": counted["read_sectors"] * SECTOR_BYTES,
            "wr_bytes": counted["written_sectors"] * SECTOR_BYTES,
        },
    }


def _line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"
