"""A domain's configuration from its text."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import attrs

from xend.config import EVENTS, DeviceConfig, DomainConfig, parts
from xend.config.boot import BootLoader, boot_loader_of
from xend.config.cpuid import CpuidPolicy, cpuid_of
from xend.config.cpus import cpu_sets_of
from xend.config.device_model import ModelOptions, model_options_of
from xend.config.grammar import Assignment, Malformed, parse_assignments, parse_words
from xend.config.hardware import Hardware, hardware_of
from xend.config.host_access import iomem_of, ioports_of, irqs_of
from xend.config.labels import Labels, labels_of
from xend.config.limits import TSC_MODES, Limits, limits_of, tsc_mode_of
from xend.config.listing import as_json
from xend.config.machine import is_loader, machine_of
from xend.config.pci import refuse_cards_with_little_memory
from xend.config.place import Place, shown
from xend.config.problem import MAX_PROBLEMS, ConfigError, Findings, Problem
from xend.config.program import ProgramError, program_assignments
from xend.config.settings import Settings
from xend.config.share import Share, share_of
from xend.config.slips import COMMENTS, FOREIGN, TEMPLATE
from xend.config.terms import Clock, StoreTerms, clock_of, store_terms_of
from xend.device.kind import DeviceKind
from xend.device.kinds import IN_ORDER

__all__ = ["as_json", "parse"]

#: What gives a domain devices.
_DEVICE_OPTIONS = tuple(kind.option for kind in IN_ORDER)
#: What says which type of guest it is, and options that are judged together.
_OF_TYPE = frozenset({"type", "builder"})
_TOGETHER = (
    frozenset({"memory", "maxmem", "videoram", "vga", "stdvga"}),
    frozenset({"vcpus", "maxvcpus", "cap", "cpus", "cpus_soft"}),
    frozenset({"bootloader", "kernel", "ramdisk", "bootloader_args", "disk"}),
    frozenset({"nestedhvm", "hap", "altp2m", "altp2m_count"}),
)
_T = TypeVar("_T")


def parse(
    text: str,
    *,
    source: str,
    name: str | None = None,
    extra: Sequence[str] = (),
    directory: str | None = None,
) -> DomainConfig:
    """The domain that a configuration describes.

    Args:
        text: the file's text, at most 1 MiB; bytes that are no UTF-8 as surrogates.
        source: the file's name, for errors.
        name: the domain's where the configuration has none: as xm did it, the file's name.
        extra: words of a command line, each a further line.
        directory: where files are whose names are relative: that of who called xl; None: none may be.

    Returns:
        The configuration, with what is to be warned of.

    Raises:
        ConfigError: everything that is wrong, in the order in which it stands, "SOURCE:LINE: ..., expected
            ..."; code unsupported: what cannot be had yet.
    """
    findings, unread = Findings(), Unread()
    assignments = [
        *unread.attempt(findings, lambda: _assignments(text, source)),
        *unread.attempt(findings, lambda: parse_words(extra, _DEVICE_OPTIONS)),
    ]
    if unread.hides_all:
        findings.check()
    understood = len(findings.problems)
    settings = Settings(assignments, source, findings)
    guest_type = findings.attempt(lambda: parts.guest_type_of(settings), "pv")
    settings.judge(guest_type, findings)
    config = _Reader(settings, findings, directory).config(name, guest_type)
    findings.problems[understood:] = filter(unread.leaves_certain, findings.problems[understood:])
    findings.check()
    return config


class Unread:
    """What could not be read of a configuration, whose other lines are judged all the same.

    Attributes:
        hides_all: nothing can be said of the rest: it is another language, or a type was not understood.
    """

    def __init__(self) -> None:
        self.hides_all = False
        self._names: set[str] = set()

    def attempt(self, findings: Findings, read: Callable[[], Sequence[Assignment]]) -> Sequence[Assignment]:
        """The assignments that could be read; what is wrong is noted."""
        try:
            return read()
        except Malformed as error:
            findings.problems += error.problems
            self._names |= set(error.unread)
            self.hides_all = self.hides_all or not self._names.isdisjoint(_OF_TYPE)
            return error.assignments
        except ConfigError as error:
            findings.problems += error.problems
            self.hides_all = True
            return []

    def leaves_certain(self, problem: Problem) -> bool:
        """Whether a problem of a line that was read is one, whatever the others were to say."""
        if not self._names:
            return True
        hidden = {name for names in _TOGETHER if self._names & names for name in names}
        return problem.place.line is not None and problem.option not in hidden


def _assignments(text: str, source: str) -> list[Assignment]:
    """Those of a file, in xl's grammar or, where it is none, computed as xm did."""
    try:
        return parse_assignments(text, source)
    except ConfigError as error:
        if text.lstrip()[:1] in FOREIGN:
            raise
        try:
            computed = program_assignments(text, source)
        except ProgramError as wrong:
            if any(problem.hint in (COMMENTS, TEMPLATE) for problem in error.problems):
                raise error from None
            raise _with_words_of(error, wrong) if wrong.is_slip else wrong from None
        if computed is None:
            raise
        return computed


def _with_words_of(grammars: ConfigError, programs: ConfigError) -> ConfigError:
    """What is wrong for both, as the grammar says it, which knows more of slips of the pen; lines that only a
    program may have are right."""
    said = {problem.place.line: problem for problem in reversed(grammars.problems)}
    both = [(said.get(problem.place.line, problem), problem.hint) for problem in programs.problems]
    problems = [attrs.evolve(problem, hint=problem.hint or hint) for problem, hint in both]
    if isinstance(grammars, Malformed):
        return Malformed(problems, grammars.assignments, grammars.unread)
    return ConfigError(problems)


class _Reader:
    """Makes the configuration of settings; what is wrong is noted, and a default stands in its place."""

    def __init__(self, settings: Settings, findings: Findings, directory: str | None) -> None:
        self._settings = settings
        self._findings = findings
        self._directory = directory if directory and directory.startswith("/") else None

    def config(self, fallback: str | None, guest_type: str) -> DomainConfig:
        """All of it; fallback: the name where none is given."""
        vcpus, max_vcpus = self._read(parts.vcpus_of, (1, 1))
        boot_loader = self._boot_loader()
        memory = self._read(parts.memory_mib_of, None)
        memory_mib, max_memory_mib = memory or (1, 1)
        if guest_type == "hvm" and memory_mib < max_memory_mib:
            self._read(refuse_cards_with_little_memory, None)
        return DomainConfig(
            name=self._read(partial(parts.domain_name, fallback=fallback), ""),
            uuid=self._read(parts.uuid_of, None),
            type=guest_type,
            vcpus=vcpus,
            max_vcpus=max_vcpus,
            memory_kib=memory_mib * 1024,
            max_memory_kib=max_memory_mib * 1024,
            cpus=self._read(partial(cpu_sets_of, option="cpus", max_vcpus=max_vcpus), ()),
            cpus_soft=self._read(partial(cpu_sets_of, option="cpus_soft", max_vcpus=max_vcpus), ()),
            pool=self._read(parts.pool_of, None),
            limits=self._read(limits_of, Limits()),
            share=self._read(partial(share_of, max_vcpus=max_vcpus), Share()),
            clock=self._read(clock_of, Clock()),
            hardware=self._read(partial(hardware_of, guest_type=guest_type), Hardware()),
            cpuid=self._read(cpuid_of, CpuidPolicy()),
            store_terms=self._read(store_terms_of, StoreTerms()),
            labels=self._read(labels_of, Labels()),
            has_old_suspend=self._boolean("xend_suspend_evtchn_compat") or False,
            tsc_mode=self._read(tsc_mode_of, TSC_MODES[0]),
            nomigrate=self._boolean("nomigrate"),
            e820_host=self._boolean("e820_host"),
            iomem=self._read(iomem_of, ()),
            ioports=self._read(ioports_of, ()),
            irqs=self._read(irqs_of, ()),
            machine=self._read(
                lambda settings: machine_of(settings, guest_type, self._directory, memory and memory[0]),
                None,
            ),
            boot_loader=boot_loader,
            device_model=self._read(model_options_of, ModelOptions()),
            kernel=self._kernel(guest_type) if boot_loader is None else self._text("kernel"),
            ramdisk=self._path("ramdisk") if boot_loader is None else self._text("ramdisk"),
            command_line=self._read(parts.command_line_of, ""),
            actions=self._actions(),
            devices={kind.name: found for kind in IN_ORDER if (found := self._devices(kind, guest_type))},
            driver_domain=self._boolean("driver_domain") or False,
            autostart_after=self._read(parts.autostart_after_of, ()),
            autostart_delay_s=self._read(parts.autostart_delay_of, 0),
            on_shutdown=self._read(parts.on_shutdown_of, None),
            given=self._settings.given(),
            notes=self._findings.notes[:MAX_PROBLEMS],
            warnings=self._findings.warnings[:MAX_PROBLEMS],
        )

    def _read(self, read: Callable[[Settings], _T], default: _T) -> _T:
        return self._findings.attempt(lambda: read(self._settings), default)

    def _boolean(self, option: str) -> bool | None:
        return self._read(partial(Settings.boolean, name=option), None)

    def _text(self, option: str) -> str | None:
        return self._read(partial(Settings.text, name=option), None) or None

    def _boot_loader(self) -> BootLoader | None:
        found = self._read(boot_loader_of, None)
        if self._boolean("bootloader_restrict") is False and found is not None:
            text = "bootloader_restrict = 0 has no effect: xend shuts every boot loader in"
            place = self._settings.value("bootloader_restrict")
            assert place is not None
            hint = "what it reads is the guest's: it has another user, one disk and no network"
            self._findings.warnings.append(Problem.at(place.place, text, hint=hint))
        return found

    def _kernel(self, guest_type: str) -> str | None:
        """What an HVM domain may have none of: its firmware boots it."""
        value = self._settings.value("kernel")
        if guest_type == "hvm" and is_loader(self._text("kernel")):
            text = "kernel names hvmloader, with which each hvm domain begins: it has no effect"
            assert value is not None
            self._findings.warnings.append(
                Problem.at(value.place, text, hint="firmware_override = ... names another one")
            )
            return None
        if guest_type != "hvm" and (value is None or (value.items is None and not value.text)):
            text = "there is no kernel, expected kernel = ... (a file of dom0) or bootloader = ..."
            self._findings.problems.append(Problem.at(self._settings.whole, text))
        return self._path("kernel")

    def _path(self, option: str) -> str | None:
        return self._read(partial(parts.path_of, option=option, directory=self._directory), None)

    def _actions(self) -> Mapping[str, str]:
        return {
            event: self._read(partial(parts.action_of, event=event), None) or default
            for event, default in EVENTS.items()
        }

    def _devices(self, kind: DeviceKind[Any], guest_type: str) -> Sequence[DeviceConfig]:
        """The devices of one type, no two of them with the same number, or what else each has for itself."""
        devices: dict[int, DeviceConfig] = {}

        def add(index: int, specification: str, place: Place) -> None:
            device = kind.parse(
                specification, place, directory=self._directory, warnings=self._findings.warnings
            )
            devid = index if device.devid is None else device.devid  # as xl numbers vifs
            device = attrs.evolve(device, devid=devid)
            if devid in devices:
                raise _taken(kind, specification, place, device.number_as_given)
            for key in kind.unique:
                value = getattr(device, key)
                if value is not None and value in {getattr(each, key) for each in devices.values()}:
                    raise _taken(kind, specification, place, f"{key} {shown(value)}")
            devices[devid] = device

        items: list[tuple[str, Place]] = self._read(lambda settings: settings.items(kind.option), [])
        for index, (specification, place) in enumerate(items):
            self._findings.attempt(partial(add, index, specification, place), None)
        found = tuple(devices.values())
        return tuple(self._read(lambda settings: kind.settle(settings, guest_type, found), found))


def _taken(kind: DeviceKind[Any], specification: str, place: Place, what: str) -> ConfigError:
    said = shown(specification)
    text = f"{kind.option} {said}: {what} is that of an earlier {kind.option}, expected each once"
    return ConfigError.at(place, text, option=kind.option, value=said[1:-1])
