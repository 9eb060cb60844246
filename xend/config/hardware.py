"""What a domain's processor and memory are like, beyond their size: options of xl.cfg(5).

Source: tools/libs/light/libxl_types.idl; xen/include/public/domctl.h
"""

import attrs

from xend.config.number import number_of
from xend.config.options import OPTIONS
from xend.config.problem import Findings
from xend.config.settings import Settings

__all__ = ["ALTP2M", "PASSTHROUGH", "Hardware", "hardware_of"]

ALTP2M = OPTIONS["altp2m"].words
PASSTHROUGH = OPTIONS["passthrough"].words
#: That of ALTP2M which altp2mhvm = 1 is.
_ALTP2MHVM = "mixed"
#: That of them with which a domain is given no devices of the host.
NO_PASSTHROUGH = "disabled"
#: What may be traced of one virtual CPU, in KiB (xen/common/domain.c).
_MIN_TRACE_KIB, _MAX_TRACE_KIB = 4, 64 << 10
#: So many page tables no host has.
_MAX_SHADOW_MIB = 1 << 20
_MAX_VIEWS = (1 << 16) - 1


@attrs.frozen(kw_only=True)
class Hardware:
    """What stands in these options; what has no effect on the domain's type is as if it was not given.

    Attributes:
        hap: nested paging; None: where the host has it.
        oos: shadow page tables may be out of step.
        nested: it may run domains of its own.
        vpmu: it may use performance counters.
        msr_relaxed: registers that the hypervisor does not know read as 0.
        passthrough: one of PASSTHROUGH.
        trace_kib: for each virtual CPU, of what the processor traces; 0: none.
        shadow_mib: the host's memory for its page tables; None: as much as libxl takes.
        altp2m: one of ALTP2M: who may have other views of its memory.
        altp2m_count: how many such views; None: as many as Xen gives by itself.
    """

    hap: bool | None = None
    oos: bool = True
    nested: bool = False
    vpmu: bool = False
    msr_relaxed: bool = False
    passthrough: str = PASSTHROUGH[0]
    trace_kib: int = 0
    shadow_mib: int | None = None
    altp2m: str = ALTP2M[0]
    altp2m_count: int | None = None


def hardware_of(settings: Settings, guest_type: str) -> Hardware:
    """All of them.

    Raises:
        ConfigError: out of range, or two that exclude each other.
    """
    findings = Findings()
    attempt = findings.attempt
    oos = attempt(lambda: settings.boolean("oos"), None)
    hardware = Hardware(
        hap=attempt(lambda: settings.boolean("hap"), None),
        oos=oos is not False,
        nested=attempt(lambda: settings.boolean("nestedhvm"), None) or False,
        vpmu=attempt(lambda: settings.boolean("vpmu"), None) or False,
        msr_relaxed=attempt(lambda: settings.boolean("msr_relaxed"), None) or False,
        passthrough=attempt(lambda: _passthrough(settings, guest_type), PASSTHROUGH[0]),
        trace_kib=attempt(lambda: _trace_kib(settings), 0),
        shadow_mib=attempt(lambda: settings.number("shadow_memory", 0, _MAX_SHADOW_MIB, "MiB"), None) or None,
        altp2m=attempt(lambda: _altp2m(settings), ALTP2M[0]),
        altp2m_count=attempt(lambda: settings.number("altp2m_count", 0, _MAX_VIEWS), None) or None,
    )
    findings.attempt(lambda: _check_together(settings, hardware), None)
    findings.check()
    return hardware


def word_or_number(settings: Settings, option: str) -> str:
    """One of its words, or the number of one from 0, as xl counts them; the first where it is not given."""
    words = OPTIONS[option].words
    value = settings.value(option)
    if value is not None and (value.number is not None or number_of(value.text) is not None):
        return words[settings.number(option, 0, len(words) - 1) or 0]
    return settings.choice(option, words) or words[0]


def _altp2m(settings: Settings) -> str:
    """altp2m; without it, what xl makes of the switch that it was before."""
    is_mixed = settings.boolean("altp2mhvm")
    if is_mixed is not None:
        settings.note("altp2mhvm", f'is called altp2m by now, "{_ALTP2MHVM}" or "{ALTP2M[0]}"')
    if is_mixed and settings.value("altp2m") is None:
        return _ALTP2MHVM
    return word_or_number(settings, "altp2m")


def _passthrough(settings: Settings, guest_type: str) -> str:
    found = settings.choice("passthrough", PASSTHROUGH) or PASSTHROUGH[0]
    if found == "share_pt" and guest_type == "pv":
        raise settings.error("passthrough", "a pv domain has no page tables to share; expected sync_pt")
    if found not in PASSTHROUGH[:2] and guest_type == "pvh":
        raise settings.error(
            "passthrough", "Xen gives pvh domains no devices of the host; expected default or disabled"
        )
    return found


def _trace_kib(settings: Settings) -> int:
    size = settings.number("vmtrace_buf_kb", 0, _MAX_TRACE_KIB, "KiB") or 0
    if size and (size < _MIN_TRACE_KIB or size & size - 1):
        raise settings.error(
            "vmtrace_buf_kb", f"expected 0, or a power of 2 from {_MIN_TRACE_KIB} to {_MAX_TRACE_KIB} KiB"
        )
    return size


def _check_together(settings: Settings, hardware: Hardware) -> None:
    if hardware.nested and hardware.hap is False:
        raise settings.error("nestedhvm", "it needs nested paging, which hap = 0 takes away")
    if hardware.altp2m != ALTP2M[0] and hardware.hap is False:
        raise settings.error("altp2m", "it needs nested paging, which hap = 0 takes away")
    if hardware.altp2m != ALTP2M[0] and hardware.nested:
        raise settings.error("altp2m", "it cannot be had together with nestedhvm = 1; expected one of them")
