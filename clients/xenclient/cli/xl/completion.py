"""What may stand next on a command line: `xl __complete WORD ...`, which the scripts of shells ask.

The last word is the one that is being typed.  Lines are a word, a tabulator and what it is; the last line is
":files" where a file's name may stand there too, else ":words".  All of it comes from the table of
sub-commands; names of domains and devices come from xend, and where that does not answer soon, none do.
"""

from __future__ import annotations

from xenclient.cli.xl.failure import Failure
from xenclient.cli.xl.help_text import GLOBAL
from xenclient.cli.xl.table import COMMANDS, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from xenclient.cli.xl.command import Command

    #: A word and what it is.
    Word = tuple[str, str]

#: How long xend may take, in seconds: somebody is waiting with a finger on a key.
PATIENCE_SECONDS = 0.5
#: Words of a usage that stand for a domain, for a device of the first argument's domain, for a file.
DOMAINS, DEVICES = ("DOM", "DOMID"), ("DEVID", "VDEV", "DEVICE")
FILES = ("FILE", "PATH", "DISK", "CONFIG")
#: Sub-commands whose NAME is a domain's; that of one that is configured; that of one that is down besides.
OF_DOMAINS = ("domid", "autostop")
OF_CONFIGURED, OF_DOWN = ("edit", "delete"), ("start", "create")
#: What a shell would take for something else: a name with one of these is not offered.
UNSAFE = frozenset(" \t\n'\"\\`$&|;<>()[]{}*?!#~:")


def completion(words: Sequence[str]) -> str:
    """The lines; words: what is typed behind the program's name, the last one, perhaps empty, in part."""
    *before, typed = words or [""]
    found, files = _after(_without_globals(before), typed)
    begun = [(word, text) for word, text in found if word.startswith(typed) and _is_safe(word)]
    lines = [f"{word}\t{text}" if text else word for word, text in begun]
    return "".join(f"{line}\n" for line in [*lines, ":files" if files else ":words"])


def _is_safe(word: str) -> bool:
    """Whether a shell takes it for a word, and a terminal only shows it."""
    return word.isprintable() and UNSAFE.isdisjoint(word)


def _without_globals(before: Sequence[str]) -> list[str]:
    rest = list(before)
    while rest and rest[0].startswith("-"):
        rest.pop(0)
    return rest


def _after(before: list[str], typed: str) -> tuple[Iterable[Word], bool]:
    """What may follow these words; whether it may be a file."""
    if not before:
        return (GLOBAL if typed.startswith("-") else [(row.name, row.text) for row in COMMANDS]), False
    try:
        row = find(before[0])
    except Failure:
        return [], False
    command = row.command()
    arguments, waiting = _arguments(command, before[1:])
    if waiting:
        return _of_kind(waiting, row.name, arguments)
    if typed.startswith("-"):
        return [option for each in command.options for option in _spelled(each)], False
    return _of_kind(_usage(command, len(arguments)), row.name, arguments)


def _spelled(option: Any) -> list[Word]:
    names = [f"-{option.letter}"] if option.letter else []
    names += [f"--{option.name}"] if option.name else []
    return [(name, option.text) for name in names]


def _arguments(command: Command, words: Sequence[str]) -> tuple[list[str], str]:
    """Those words that are no options, and what the option wants that the last of them is."""
    values = {
        name: option.value for option in command.options for name, _ in _spelled(option) if option.value
    }
    found, waiting = [], ""
    for word in words:
        if waiting:
            waiting = ""
        elif word in values:
            waiting = values[word]
        elif not word.startswith("-"):
            found.append(word)
    return found, waiting


def _usage(command: Command, place: int) -> str:
    """The usage's word of the argument at this place, from 0; "" behind the last."""
    words = [word.strip("[]") for word in command.arguments.split()]
    is_open = words[-1:] == ["..."]
    words = [word for word in words if word != "..."]
    if place >= len(words):
        return words[-1] if is_open and words else ""
    return words[place]


def _of_kind(usage: str, name: str, arguments: Sequence[str]) -> tuple[list[Word], bool]:
    """The words that a usage's word stands for: "DEVID|MAC"; whether it may be a file."""
    found: list[Word] = []
    files = False
    for kind in usage.split("|"):
        if kind in DOMAINS or (kind == "NAME" and name in OF_DOMAINS):
            found += _domains()
        elif kind in ("NAME", "FILE") and name in (*OF_CONFIGURED, *OF_DOWN):
            found += _configured(is_down=name in OF_DOWN)
            files = kind == "FILE"
        elif kind in DEVICES and arguments:
            found += _devices(name, arguments[0])
        elif kind == "POOL":
            found += [(pool["name"], "CPU pool") for pool in _ask("pool.list")]
        elif kind == "COMMAND":
            found += [(row.name, row.text) for row in COMMANDS]
        elif kind in FILES:
            files = True
        elif kind.startswith("-"):
            pass  # an option
        elif kind.islower() or kind.isdigit() or kind.istitle():
            found.append((kind, ""))
    return list(dict.fromkeys(found)), files


def _domains() -> list[Word]:
    return [(each["name"], f"domain {each['domid']}, {each['state']}") for each in _ask("domain.list")]


def _configured(*, is_down: bool) -> list[Word]:
    """Those of the directory of configurations, or of these the ones that do not run."""
    rows = [each for each in _ask("managed.list") if not (is_down and each["up"])]
    return [(each["name"], "it runs" if each["up"] else "configured") for each in rows]


def _devices(name: str, domain: str) -> list[Word]:
    """Those of the sub-command's own type, or all."""
    kinds = {"network": ("vif",), "block": ("vbd",), "cd": ("vbd",), "vtpm": ("vtpm",)}
    kinds |= {"vkb": ("vkb",), "usbctrl": ("usbctrl",)}
    wanted = kinds.get(name.partition("-")[0], ("vif", "vbd", "vtpm"))
    devices = [each for kind in wanted for each in _ask("device.list", domain=domain, kind=kind)]
    by_name = name.startswith(("block", "cd"))
    return [(_device(each, by_name), each["name"]) for each in devices]


def _device(device: Any, by_name: bool) -> str:
    last: str = device["name"].rpartition(" ")[2]
    return last if by_name or not last.isdigit() else str(device["devid"])


def _ask(method: str, **parameters: object) -> list[Any]:
    """What xend answers; nothing if it does not, soon."""
    from xenclient.xend.blocking import Client
    from xenclient.xend.errors import ClientError

    try:
        with Client(timeout=PATIENCE_SECONDS) as client:
            found: list[Any] = client.call(method, progress=None, **parameters)
            return found
    except (ClientError, OSError):
        return []
