"""What a simulated device model says to commands of QMP, and what it was told by them."""

import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import attrs

from xend.model.image import FILES

__all__ = ["Answers", "Refusal", "word_behind"]

#: The first that is free on its bus.
_FIRST_SLOT = 6
_MAGIC = b"state of a simulated device model\n"


class Refusal(Exception):
    """What it says to a command that it does not do."""


def word_behind(argv: Sequence[str], option: str) -> str | None:
    """What stands behind an option of a command line."""
    words = list(argv)
    return words[words.index(option) + 1] if option in words else None


def words_behind(argv: Sequence[str], option: str) -> list[str]:
    """What stands behind each of an option of a command line."""
    return [word for each, word in pairwise(argv) if each == option]


def _files_of(node: Mapping[str, Any]) -> Iterator[str]:
    """The names of files of a node, and of those below it."""
    if "filename" in node:
        yield node["filename"]
    for key in ("file", "backing"):
        if isinstance(node.get(key), dict):
            yield from _files_of(node[key])


def _number(path: str) -> int:
    return int(path.removeprefix(f"{FILES}/"))


@attrs.define(eq=False)
class Answers:
    """Those of one.

    Attributes:
        argv, faults: its command line, and the words of xend.simulator.model.
        sets: how many sets of descriptors it was given.
        received: descriptors that came with what was said, and have no set yet.
        given: those of sets, by the number of the set.
        holders: nodes that hold sets, with the numbers of these.
        disks: nodes of disks that were told to use another one, with its name.
        used: sets that something else has opened.
        discs: what it was told of its drives, by their names.
        processors: those that it was given, by their numbers.
        passwords: that who looks at its screen needs, by protocols.
        cards: functions of the host's, by their names: where they are.
        is_running: it serves its guest; it stops, and goes on.
    """

    argv: Sequence[str]
    faults: Mapping[str, str]
    sets: int = attrs.field(init=False, default=0)
    received: list[int] = attrs.field(init=False, factory=list)
    given: dict[int, int] = attrs.field(init=False, factory=dict)
    holders: dict[str, set[int]] = attrs.field(init=False, factory=dict)
    disks: dict[str, str] = attrs.field(init=False, factory=dict)
    used: set[int] = attrs.field(init=False, factory=set)
    is_running: bool = attrs.field(init=False, default=True)
    discs: dict[str, str | None] = attrs.field(init=False, factory=dict)
    processors: dict[int, str] = attrs.field(init=False, factory=dict)
    passwords: dict[str, str] = attrs.field(init=False, factory=dict, repr=False)
    cards: dict[str, str] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        for word in words_behind(self.argv, "-add-fd"):
            fd, number = (int(each.partition("=")[2]) for each in word.split(","))
            if number in self.given:
                os.close(self.given[number])
            self.given[number] = fd
        for word in words_behind(self.argv, "-blockdev"):
            self._hold(json.loads(word))

    def opened(self, path: str) -> int:
        """A descriptor of the file of a set, which the caller closes.  Raises: OSError."""
        number = _number(path)
        if number not in self.given:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self.used.add(number)
        return os.dup(self.given[number])

    def closed(self, path: str) -> None:
        """The file of a set is in no backend's use any more."""
        self.used.discard(_number(path))

    def forget_unused(self) -> None:
        """As qemu does once no monitor is connected: of what nobody has open nothing stays."""
        for number in self.given.keys() - self.used.union(*self.holders.values()):
            os.close(self.given.pop(number))

    def to(self, command: str, arguments: Mapping[str, Any], port: int | None) -> object:
        """What it returns; port: of its screen.  Raises: Refusal."""
        match command:
            case "query-status":
                return {"status": "running" if self.is_running else "paused", "running": self.is_running}
            case "stop" | "cont":
                self.is_running = command == "cont"
            case "xen-save-devices-state":
                self._save(arguments["filename"])
            case "remove-fd":
                self._remove(arguments["fdset-id"])
            case "blockdev-add":
                self._hold(arguments)
            case "blockdev-del":
                if self.holders.pop(arguments["node-name"], None) is None:
                    raise Refusal(f"Failed to find node with node-name='{arguments['node-name']}'")
            case "blockdev-reopen":
                if "refuse-reopen" in self.faults:
                    raise Refusal("Failed to find node")
                for each in arguments["options"]:
                    self.disks[each["node-name"]] = each["file"]
            case "query-fdsets":
                return [{"fdset-id": number, "fds": []} for number in self.given]
            case "query-vnc":
                return {"enabled": True, "service": "; rm" if "lie" in self.faults else str(port)}
            case "set_password":
                self.passwords[arguments["protocol"]] = arguments["password"]
            case "query-chardev":
                return self._lines()
            case "add-fd":
                return self._take(arguments)
            case "eject" | "blockdev-change-medium":
                return self._change(arguments)
            case "query-hotpluggable-cpus":
                return self._processors()
            case "device_add" if arguments["driver"] == "xen-pci-passthrough":
                self._take_card(arguments)
            case "device_del":
                if "keeps-cards" not in self.faults:
                    del self.cards[arguments["id"]]
            case "query-pci":
                return self._buses()
            case "device_add":
                self.processors[arguments["core-id"]] = str(arguments["id"])
            case "human-monitor-command":
                return f"(sim) {arguments['command-line']}\r\n"
        return {}

    def load(self, fd: int) -> None:
        """Go on with the state that another one saved.

        Raises:
            ValueError: it is none, or of another machine.
        """
        data = b"".join(iter(lambda: os.read(fd, 65536), b""))
        if not data.startswith(_MAGIC) or "no-load" in self.faults:
            raise ValueError("not a migration stream")
        state = json.loads(data.removeprefix(_MAGIC))
        if state["processors"] != len(self._there()):
            raise ValueError("Unknown savevm section or instance 'cpu_common'")
        self.discs = state["discs"]

    def close(self) -> None:
        """Nobody gets an answer any more."""
        for fd in (*self.received, *self.given.values()):
            with suppress(OSError):
                os.close(fd)
        self.received.clear()
        self.given.clear()

    def _take(self, arguments: Mapping[str, Any]) -> object:
        """A descriptor that came with the command."""
        self.sets += 1
        number = arguments.get("fdset-id", self.sets)
        if self.received:
            self.given[number] = self.received.pop(0)
        return {"fdset-id": "x" if "lie" in self.faults else number, "fd": 40 + self.sets}

    def _remove(self, number: int) -> None:
        if number not in self.given:
            raise Refusal(f"File descriptor named 'fdset-id:{number}' not found")
        self.used.discard(number)
        os.close(self.given.pop(number))

    def _hold(self, node: Mapping[str, Any]) -> None:
        names = list(_files_of(node))
        for name in names:
            if _number(name) not in self.given:
                raise Refusal(f"Could not dup FD for {name} flags 2: No such file or directory")
        self.holders[node["node-name"]] = set(map(_number, names))

    def _save(self, filename: str) -> None:
        """As qemu does: into the file of a set, which has to be open for writing, and is made empty."""
        fd = self.given[_number(filename)]
        if self.is_running:
            raise Refusal("the simulated guest still runs")
        if "no-save" in self.faults:
            raise Refusal("An IO error has occurred")
        os.ftruncate(fd, 0)
        state = {"discs": self.discs, "processors": len(self._there())}
        if "empty-state" not in self.faults:
            os.write(fd, _MAGIC + json.dumps(state).encode() + b"\n")

    def _there(self) -> list[int]:
        """The numbers of its processors."""
        here = int((word_behind(self.argv, "-smp") or "1,").split(",")[0])
        return sorted({*range(here), *self.processors})

    def _take_card(self, arguments: Mapping[str, Any]) -> None:
        if "no-cards" in self.faults:
            raise Refusal(f"Failed to open {arguments['hostaddr']}")
        free = next(slot for slot in range(_FIRST_SLOT, 32) if f"{slot:x}.0" not in self.cards.values())
        self.cards[arguments["id"]] = arguments.get("addr", f"{free:x}.0")

    def _buses(self) -> object:
        """The first one's devices: the bridge, and those of the host's."""
        if "lie" in self.faults:
            return [{"devices": [{"qdev_id": name, "slot": "5", "function": -1} for name in self.cards]}]
        places = [(name, *at.split(".")) for name, at in self.cards.items()]
        devices = [{"qdev_id": name, "slot": int(at, 16), "function": int(n, 16)} for name, at, n in places]
        return [{"bus": 0, "devices": [{"qdev_id": "", "slot": 0, "function": 0}, *devices]}]

    def _change(self, arguments: Mapping[str, Any]) -> object:
        """Another disc in a drive, or none."""
        name = arguments["id"]
        if not any(word.startswith("ide-cd,") and f"id={name}," in word for word in self.argv):
            raise Refusal(f"Device '{name}' not found")
        if "locked" in self.faults:
            raise Refusal(f"Device '{name}' is locked and force was not specified")
        self.discs[name] = arguments.get("filename")
        if "filename" in arguments:
            self.used.add(_number(arguments["filename"]))
        return {}

    def _processors(self) -> list[dict[str, object]]:
        """Those that are there, and could be."""
        most, there = int((word_behind(self.argv, "-smp") or "=1").split("=")[1]), self._there()
        return [
            {
                "type": "qemu32-i386-cpu",
                "vcpus-count": 1,
                "props": {"core-id": number, "thread-id": 0, "socket-id": 0},
                **({"qom-path": f"/machine/{number}"} if number in there else {}),
            }
            for number in reversed(range(most))
        ]

    def _lines(self) -> list[dict[str, str]]:
        """Its serial lines."""
        kinds = words_behind(self.argv, "-serial")
        pty = "pty:/etc/passwd" if "lie" in self.faults else "pty:/dev/pts/{}"
        names = [(pty if kind == "pty" else kind).format(100 + at) for at, kind in enumerate(kinds)]
        return [{"label": f"serial{at}", "filename": name} for at, name in enumerate(names)]
