"""Whether a host can run a domain at all: what kinds of guests it is made for, and how large it is."""

from collections.abc import Sequence
from contextlib import suppress

from xend.config import DomainConfig
from xend.errors import XendError
from xend.hypervisor import HostInfo

#: The word of xen_caps for 32-bit kernels of paravirtual domains (XEN_CAPABILITIES, xen/arch/x86/setup.c).
PAE_PV = "xen-3.0-x86_32p"
#: The word of virt_caps for an IOMMU that is on.
DIRECT_IO = "pv_directio"
#: Of an ELF file's identification: its magic number, and the class of 32 bits.
_ELF, _CLASS_AT, _CLASS_32 = b"\x7fELF", 4, 1


def check_host(info: HostInfo, config: DomainConfig, kernel: str | None, spare_kib: int = 0) -> None:
    """See that a host can run a domain of this configuration.

    kernel: where its kernel lies; None: its boot loader is going to find it.
    spare_kib: what dom0 would give of its memory.

    Raises:
        XendError: unsupported: not of this type, or not this kernel; out_of_memory.
    """
    _check_type(info, config)
    if (
        kernel is not None
        and config.type == "pv"
        and PAE_PV not in info.xen_caps.split()
        and _is_32_bit(kernel)
    ):
        raise XendError(
            "unsupported",
            f"kernel {kernel} is a 32-bit one, which this host does not run in a pv domain: "
            f"{PAE_PV} is not among the xen_caps of xl info",
            hint="take a 64-bit kernel; Xen was built or started without 32-bit PV (pv=32)",
        )
    if config.memory_kib > info.total_memory_kib:
        raise XendError(
            "out_of_memory",
            f"it needs {config.memory_kib >> 10} MiB, the whole host has {info.total_memory_kib >> 10} MiB",
            hint="give it less: memory = ...",
        )
    if config.memory_kib > info.free_memory_kib + spare_kib:
        given = f", and Domain-0 can give up {spare_kib >> 10}" if spare_kib else ""
        raise XendError(
            "out_of_memory",
            f"it needs {config.memory_kib >> 10} MiB, {info.free_memory_kib >> 10} MiB are free{given}",
            hint="destroy a domain, or give one less memory: xl mem-set",
        )


def has_iommu(info: HostInfo) -> bool:
    """Whether a host can give its devices to paravirtual domains so that they reach nobody else's memory."""
    return DIRECT_IO in info.virt_caps


def _check_type(info: HostInfo, config: DomainConfig) -> None:
    guest_type, hardware = config.type, config.hardware
    if guest_type == "pv":
        needed: Sequence[str] = ("pv",)
        hint = "its hypervisor was built or started without PV; type = 'pvh' may do"
    else:
        needed = ("hvm", "shadow" if hardware.hap is False else "hap")
        hint = "the processor has no VT-x or AMD-V with nested paging, or its firmware has it off"
    for option, is_wanted, capability, needs in (
        ("vpmu", hardware.vpmu, "vpmu", "it takes vpmu=on on Xen's command line"),
        ("vmtrace_buf_kb", hardware.trace_kib > 0, "vmtrace", "it takes Intel's Processor Trace"),
        (
            "passthrough",
            hardware.passthrough not in ("default", "disabled"),
            DIRECT_IO,
            "it takes VT-d or AMD-Vi, on in the firmware and in Xen (iommu=on)",
        ),
    ):
        if is_wanted and capability not in info.virt_caps:
            raise XendError(
                "unsupported",
                f"{option}: this host cannot do that: {capability} is not among the virt_caps of xl info "
                f"({' '.join(info.virt_caps) or 'none'})",
                hint=f"leave {option} out: {needs}",
            )
    lacking = [each for each in needed if each not in info.virt_caps]
    if lacking:
        raise XendError(
            "unsupported",
            f"this host runs no {guest_type} domains: {' and '.join(lacking)} not among the virt_caps of xl "
            f"info ({' '.join(info.virt_caps) or 'none'})",
            hint=hint,
        )


def _is_32_bit(path: str) -> bool:
    """Whether a file is an uncompressed 32-bit kernel; of a compressed one the build says so."""
    beginning = b""
    with suppress(OSError), open(path, "rb") as file:  # the build says what is wrong with it
        beginning = file.read(_CLASS_AT + 1)
    return beginning.startswith(_ELF) and beginning[_CLASS_AT:] == bytes([_CLASS_32])
