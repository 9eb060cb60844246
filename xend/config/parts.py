"""The options of a configuration that this xend reads, each by itself; devices have modules of their own.

Each function raises a ConfigError that says what is expected.
"""

import os.path
import re
from collections.abc import Sequence

from xend.config.name import name_complaint
from xend.config.option import ACTIONS
from xend.config.place import bytes_of, listed, shown
from xend.config.problem import ConfigError, Findings, Problem
from xend.config.settings import Settings

__all__ = [
    "action_of", "autostart_after_of", "autostart_delay_of", "command_line_of", "domain_name",
    "guest_type_of", "memory_mib_of", "on_shutdown_of", "path_of", "pool_of", "uuid_of", "vcpus_of",
]  # fmt: skip

MAX_VCPUS = 128
MAX_MEMORY_MIB = 16 << 20  # what Xen itself manages on one host: 16 TiB
#: What start_info holds for the kernel's command line, without the NUL (xen/include/public/xen.h).
MAX_COMMAND_LINE_BYTES = 1023
_DEFAULT_MEMORY_MIB = 128  # xm's
#: Of autostart_delay: who waits longer than an hour has forgotten what for.
MAX_DELAY_SECONDS = 3600
ON_SHUTDOWN = ("shutdown", "save")

_TYPES = ("pv", "pvh", "hvm")
_BUILDERS = {"generic": "pv", "linux": "pv", "hvm": "hvm"}
_DEFAULT_BUILDER = "linux"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_UUID = "00000000-0000-0000-0000-000000000000"


def domain_name(settings: Settings, fallback: str | None) -> str:
    """The name; where none is given, that of the file."""
    name = settings.text("name")
    if name is None:
        if fallback is None:
            raise ConfigError.at(settings.whole, "there is no name, expected name = ...")
        if complaint := name_complaint(fallback):
            raise ConfigError.at(
                settings.whole,
                f"the file's name {shown(fallback)} cannot be the domain's: {complaint}",
                hint="add name = ... to the file",
            )
        return fallback
    if complaint := name_complaint(name):
        raise settings.error("name", complaint)
    return name


def uuid_of(settings: Settings) -> str | None:
    """The UUID in lower case; None: not given."""
    uuid = settings.text("uuid")
    if uuid is None:
        return None
    uuid = uuid.lower()
    if not _UUID.fullmatch(uuid) or uuid == _NO_UUID:
        raise settings.error(
            "uuid", "expected hexadecimal digits in groups of 8-4-4-4-12, not all of them zero"
        )
    return uuid


def guest_type_of(settings: Settings) -> str:
    """The type, from xl's option or from xm's."""
    type_ = settings.choice("type", _TYPES)
    builder = settings.choice("builder", tuple(_BUILDERS))
    if type_ and builder and _BUILDERS[builder] != ("hvm" if type_ == "hvm" else "pv"):
        raise settings.error("builder", f"the type is {type_}, expected the builder of that type, or none")
    return type_ or _BUILDERS[builder or _DEFAULT_BUILDER]


def vcpus_of(settings: Settings) -> tuple[int, int]:
    """At the start, and at most."""
    findings = Findings()
    vcpus = findings.attempt(lambda: settings.number("vcpus", 1, MAX_VCPUS), None) or 1
    max_vcpus = findings.attempt(lambda: settings.number("maxvcpus", 1, MAX_VCPUS), None) or vcpus
    findings.check()
    if max_vcpus < vcpus:
        raise settings.error("maxvcpus", f"expected at least the {vcpus} of vcpus")
    return vcpus, max_vcpus


def pool_of(settings: Settings) -> str | None:
    """Name or number of the CPU pool; None: not given."""
    return settings.text("pool") or None


def memory_mib_of(settings: Settings) -> tuple[int, int]:
    """At the start, and at most."""
    findings = Findings()

    def read(option: str) -> int | None:
        return findings.attempt(lambda: settings.number(option, 1, MAX_MEMORY_MIB, "MiB"), None)

    memory = read("memory") or _DEFAULT_MEMORY_MIB
    max_memory = read("maxmem") or memory
    findings.check()
    if max_memory < memory:
        of_memory = "memory" if settings.value("memory") else "memory, which is not given"
        raise settings.error("maxmem", f"expected at least the {memory} MiB of {of_memory}")
    return memory, max_memory


def path_of(settings: Settings, option: str, directory: str | None) -> str | None:
    """An absolute path; None: not given, or empty as xm had it."""
    path = settings.text(option)
    if not path:
        return None
    if not path.startswith("/"):
        if directory is None:
            raise settings.error(option, "expected an absolute path")
        return os.path.join(directory, path)
    return path


def command_line_of(settings: Settings) -> str:
    """cmdline, or root and extra joined."""
    findings = Findings()

    def read(option: str) -> str | None:
        return findings.attempt(lambda: settings.text(option), None)

    line, root, extra = map(read, ("cmdline", "root", "extra"))
    if line is not None:
        for option in filter(settings.value, ("root", "extra")):
            settings.warn(option, "has no effect: cmdline is the whole command line")
    else:
        line = " ".join(filter(None, [f"root={root}" if root else None, extra]))
    findings.check()
    if (length := len(bytes_of(line))) > MAX_COMMAND_LINE_BYTES:
        last = next(option for option in ("cmdline", "extra", "root") if settings.value(option))
        raise settings.error(
            last,
            f"the command line has {length} bytes, expected at most {MAX_COMMAND_LINE_BYTES}",
        )
    return line


def action_of(settings: Settings, event: str) -> str | None:
    """What is done after an event of EVENTS; None: not given."""
    return settings.choice(f"on_{event}", ACTIONS if event == "soft_reset" else ACTIONS[:-1])


def autostart_delay_of(settings: Settings) -> int:
    """In seconds."""
    return settings.number("autostart_delay", 0, MAX_DELAY_SECONDS, "seconds") or 0


def on_shutdown_of(settings: Settings) -> str | None:
    """What is done with it as the host stops, one of ON_SHUTDOWN; None: not given.

    Other people's configurations have had other words there, which never had an effect.
    """
    word = settings.text("on_shutdown")
    if word is None or word in ON_SHUTDOWN:
        return word
    settings.warn("on_shutdown", f"has no effect: expected {listed(ON_SHUTDOWN)}")
    return None


def autostart_after_of(settings: Settings) -> Sequence[str]:
    """The domains that come before this one, each once."""
    names: list[str] = []
    findings = Findings()
    for name, place in settings.items("autostart_after"):
        complaint = name_complaint(name)
        if complaint is None and name in names:
            complaint = "it is there already, expected each once"
        if complaint:
            text = f"autostart_after holds {shown(name)}: {complaint}"
            findings.problems.append(
                Problem.at(place, text, option="autostart_after", value=shown(name)[1:-1])
            )
        names.append(name)
    findings.check()
    return tuple(names)
