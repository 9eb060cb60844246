"""xl.conf(5), the file that is for all domains of a host: its keys, and what each comes to here.

What is wrong with it is told in a line each and stops nothing: a host whose manager does not start because of
a typing error in a default is worse off than one that uses xend's own default and says so.
"""

import os
from collections.abc import Callable, Sequence

import attrs

from xend.config.cpus import parse_cpu_set
from xend.config.defaults import Defaults
from xend.config.grammar import Assignment, Value, parse_assignments
from xend.config.number import number_of
from xend.config.option import accepted, closest
from xend.config.place import Place, listed, shown
from xend.config.problem import ConfigError, Problem
from xend.config.text import text_of

__all__ = ["FILE", "XlConf", "XlConfFile", "read_xl_conf"]

#: In the directory of configurations.
FILE = "xl.conf"
_FRAMES_MAX = (1 << 31) - 1
#: Whether dom0 gives memory to a domain that needs it: never, always, or unless Xen was told what dom0 has.
AUTOBALLOON = ("off", "on", "auto")


@attrs.frozen(kw_only=True)
class _Key:
    """A key of xl.conf(5).

    Attributes:
        kind: as xend.config.option has kinds.
        sets: the attribute of `Defaults` or `XlConf` that it gives.
        words: the only texts that it takes.
        lowest: of a number.
        default: what holds where it is not given, or wrong; in words.
        lacks: why a value that asks for something has no effect, by that value; every other one is what
            happens anyway.
        instead: the key's newer name.
    """

    name: str
    kind: str = "s"
    sets: str | None = None
    words: Sequence[str] = ()
    lowest: int = 0
    highest: int = _FRAMES_MAX
    default: str
    lacks: dict[str, str] = attrs.field(factory=dict)
    instead: str | None = None
    check: Callable[[str], object] = lambda text: None


_SCRIPT = "vif-bridge, or what xend's --vif-script says, holds"
_BRIDGE = "bridge0 on NetBSD, xenbr0 on Linux, or what xend's --bridge says, holds"
_ALL_CPUS = "every CPU may be used"
_HYPERVISORS = "what the hypervisor allows by itself holds"

#: Those of xl 4.17 (tools/xl/xl.c, parse_global_config) and their defaults (xl.conf(5)).
KEYS = {
    key.name: key
    for key in (
        _Key(name="vif.default.script", sets="vif_script", default=_SCRIPT),
        _Key(name="vifscript", sets="vif_script", default=_SCRIPT, instead="vif.default.script"),
        _Key(name="vif.default.bridge", sets="vif_bridge", default=_BRIDGE),
        _Key(name="defaultbridge", sets="vif_bridge", default=_BRIDGE, instead="vif.default.bridge"),
        _Key(name="vif.default.gatewaydev", sets="vif_gatewaydev", default="there is none"),
        _Key(name="vif.default.backend", sets="vif_backend", default="dom0 has the backends"),
        _Key(name="max_grant_frames", kind="n", sets="max_grant_frames", lowest=1, default=_HYPERVISORS),
        _Key(name="max_maptrack_frames", kind="n", sets="max_maptrack_frames", default=_HYPERVISORS),
        _Key(
            name="max_grant_version",
            kind="n",
            sets="max_grant_version",
            lowest=1,
            highest=2,
            default=_HYPERVISORS,
        ),
        _Key(name="vm.cpumask", sets="cpumask", default=_ALL_CPUS, check=parse_cpu_set),
        _Key(name="vm.pv.cpumask", sets="pv_cpumask", default=_ALL_CPUS, check=parse_cpu_set),
        _Key(name="vm.hvm.cpumask", sets="hvm_cpumask", default=_ALL_CPUS, check=parse_cpu_set),
        _Key(name="claim_mode", kind="b", sets="claims_memory", default="memory is set aside (1)"),
        _Key(name="output_format", sets="output_format", words=("json", "sxp"), default="json holds"),
        _Key(
            name="autoballoon",
            kind="sn",
            sets="autoballoon",
            words=AUTOBALLOON,
            default="dom0 gives memory to new domains unless dom0_mem is on the hypervisor's command line "
            "(auto)",
        ),
        _Key(
            name="run_hotplug_scripts",
            kind="b",
            default="xend runs the scripts (1)",
            lacks={"0": "xend runs the scripts of the devices itself, and leaves none to udev"},
        ),
        _Key(
            name="domid_policy",
            words=("xen", "random"),
            default="the hypervisor chooses domids (xen)",
            lacks={"random": "the hypervisor chooses the domids of this xend's domains"},
        ),
        # What these are for has no place here: xend does one thing at a time to a domain without a lock
        # file, its boot loaders read the disk itself, so that dom0 attaches none, and it has neither Remus
        # nor COLO.
        _Key(name="lockfile", default="xend needs none"),
        _Key(name="blkdev_start", default="xend needs none"),
        _Key(name="remus.default.netbufscript", default="xend has no Remus"),
        _Key(name="colo.default.proxyscript", default="xend has no COLO"),
    )
}


@attrs.frozen(kw_only=True)
class XlConf:
    """What the file says.

    Attributes:
        defaults: of domains that say nothing themselves.
        claims_memory: a new domain's memory is set aside before it is built.
        autoballoon: one of AUTOBALLOON.
        output_format: "json" or "sxp", of what xl prints for programs.
        problems: what is wrong with the file, or has no effect.
    """

    defaults: Defaults = attrs.field(factory=Defaults)
    claims_memory: bool = True
    autoballoon: str = "auto"
    output_format: str = "json"
    problems: Sequence[Problem] = ()

    def lines(self) -> list[str]:
        """What is to be told of it, a line each."""
        return [each.message + (f" ({each.hint})" if each.hint else "") for each in self.problems]


def read_xl_conf(path: str) -> XlConf:
    """What a file says; one that is not there says nothing."""
    try:
        with open(path, "rb") as file:
            text = text_of(file.read((1 << 20) + 1))
        return xl_conf_of(text, path)
    except FileNotFoundError:
        return XlConf()
    except OSError as error:
        problem = Problem.at(Place(path), f"it cannot be read ({error.strerror}); nothing of it has effect")
        return XlConf(problems=[problem])


class XlConfFile:
    """The file of a host, which people edit while xend runs: it is read when it has changed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen = _signature(path)
        self._conf = read_xl_conf(path)

    def now(self) -> XlConf:
        """What it says at the moment; the same object for as long as it does not change."""
        seen = _signature(self._path)
        if seen != self._seen:
            self._seen, self._conf = seen, read_xl_conf(self._path)
        return self._conf


def _signature(path: str) -> tuple[int, ...] | None:
    """What is another when the file is; None: there is none to be read."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def xl_conf_of(text: str, source: str) -> XlConf:
    """What a text says; source: the file's name, for what is wrong."""
    try:
        assignments = parse_assignments(text, source)
    except ConfigError as error:
        problems = [
            attrs.evolve(each, text=f"{each.text}; nothing of the file has effect") for each in error.problems
        ]
        return XlConf(problems=problems)
    values: dict[str, str | int] = {}
    problems = []
    for assignment in assignments:
        try:
            _take(assignment, values, problems)
        except ConfigError as error:
            problems += error.problems
    known = {each.name for each in attrs.fields(Defaults)}
    defaults = Defaults.of({name: value for name, value in values.items() if name in known})
    claims = bool(values.pop("claims_memory", 1))
    return XlConf(
        defaults=defaults,
        claims_memory=claims,
        autoballoon=_balloon_word(values.get("autoballoon", "auto")),
        output_format=str(values.get("output_format", "json")),
        problems=problems,
    )


def _balloon_word(value: str | int) -> str:
    """As one of AUTOBALLOON; numbers are its first two."""
    return AUTOBALLOON[int(value)] if str(value).isdigit() else str(value)


def _take(assignment: Assignment, values: dict[str, str | int], problems: list[Problem]) -> None:
    """Enter the value of one assignment.

    Raises:
        ConfigError: it is wrong, or has no effect.
    """
    name, value = assignment.name, assignment.value
    key = KEYS.get(name)
    if key is None:
        text = f"{shown(name)} has no effect: there is no such key"
        raise ConfigError.at(assignment.place, text, hint=closest(name, KEYS))
    if assignment.append:
        raise _wrong(key, value, "expected = and one value")
    found = _value(key, value)
    if (lack := key.lacks.get(str(found))) is not None:
        raise ConfigError.at(value.place, f"{name} = {value} has no effect: {lack}")
    if key.sets is not None:
        values[key.sets] = found
    if key.instead is not None:
        text = f"{name} is the old name of this key"
        problems.append(Problem.at(value.place, text, hint=f"call it {key.instead}"))


def _value(key: _Key, value: Value) -> str | int:
    """The value as the key has it.  Raises: ConfigError."""
    if value.items is not None:
        raise _wrong(key, value, f"expected {accepted(key.kind)}")
    number = number_of(value.text.strip()) if value.number is None else value.number
    if key.kind == "b":
        if number is None:
            raise _wrong(key, value, "expected 0 or 1")
        return int(number != 0)
    if key.kind == "n":
        if number is None or not key.lowest <= number <= key.highest:
            raise _wrong(key, value, f"expected a number from {key.lowest} to {key.highest}")
        return number
    if value.number is not None and "n" not in key.kind:
        raise _wrong(key, value, f"expected {accepted(key.kind)}")
    if key.words and value.text not in key.words and not ("n" in key.kind and number in (0, 1)):
        raise _wrong(key, value, f"expected {listed([shown(word) for word in key.words])}")
    return _text(key, value)


def _text(key: _Key, value: Value) -> str:
    if not value.text or not value.text.isprintable():
        raise _wrong(key, value, "expected a text of printable characters")
    try:
        key.check(value.text)
    except ValueError as error:
        raise _wrong(key, value, str(error)) from None
    return value.text


def _wrong(key: _Key, value: Value, expected: str) -> ConfigError:
    """The error of a value, with what happens now."""
    return ConfigError.at(
        value.place, f"{key.name} = {value}: {expected}; so it has no effect, and {key.default}"
    )
