"""What a simulated device model says to commands of QMP, and what it was told by them."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

__all__ = ["Answers", "Refusal", "word_behind"]


class Refusal(Exception):
    """What it says to a command that it does not do."""


def word_behind(argv: Sequence[str], option: str) -> str | None:
    """What stands behind an option of a command line."""
    words = list(argv)
    return words[words.index(option) + 1] if option in words else None


@attrs.define(eq=False)
class Answers:
    """Those of one.

    Attributes:
        argv, faults: its command line, and the words of xend.simulator.model.
        sets: how many sets of descriptors it was given.
        discs: what it was told of its drives, by their names.
        processors: those that it was given, by their numbers.
    """

    argv: Sequence[str]
    faults: Mapping[str, str]
    sets: int = attrs.field(init=False, default=0)
    discs: dict[str, str | None] = attrs.field(init=False, factory=dict)
    processors: dict[int, str] = attrs.field(init=False, factory=dict)

    def to(self, command: str, arguments: Mapping[str, Any], port: int | None) -> object:
        """What it returns; port: of its screen.  Raises: Refusal."""
        match command:
            case "query-status":
                return {"status": "running", "running": True}
            case "query-vnc":
                return {"enabled": True, "service": "; rm" if "lie" in self.faults else str(port)}
            case "query-chardev":
                return self._lines()
            case "add-fd":
                self.sets += 1
                return {"fdset-id": "x" if "lie" in self.faults else self.sets, "fd": 40 + self.sets}
            case "eject" | "blockdev-change-medium":
                return self._change(arguments)
            case "query-hotpluggable-cpus":
                return self._processors()
            case "device_add":
                self.processors[arguments["core-id"]] = str(arguments["id"])
            case "human-monitor-command":
                return f"(sim) {arguments['command-line']}\r\n"
        return {}

    def _change(self, arguments: Mapping[str, Any]) -> object:
        """Another disc in a drive, or none."""
        name = arguments["id"]
        if not any(word.startswith("ide-cd,") and f"id={name}," in word for word in self.argv):
            raise Refusal(f"Device '{name}' not found")
        if "locked" in self.faults:
            raise Refusal(f"Device '{name}' is locked and force was not specified")
        self.discs[name] = arguments.get("filename")
        return {}

    def _processors(self) -> list[dict[str, object]]:
        """Those that are there, and could be."""
        words = (word_behind(self.argv, "-smp") or "1,maxcpus=1").split(",maxcpus=")
        here, most = int(words[0]), int(words[1])
        return [
            {
                "type": "qemu32-i386-cpu",
                "vcpus-count": 1,
                "props": {"core-id": number, "thread-id": 0, "socket-id": 0},
                **({"qom-path": f"/machine/{number}"} if number < here or number in self.processors else {}),
            }
            for number in reversed(range(most))
        ]

    def _lines(self) -> list[dict[str, str]]:
        """Its serial lines."""
        kinds = [word for option, word in zip(self.argv, self.argv[1:], strict=False) if option == "-serial"]
        pty = "pty:/etc/passwd" if "lie" in self.faults else "pty:/dev/pts/{}"
        names = [(pty if kind == "pty" else kind).format(100 + at) for at, kind in enumerate(kinds)]
        return [{"label": f"serial{at}", "filename": name} for at, name in enumerate(names)]
