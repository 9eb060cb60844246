"""A domain's own settings, all of which come before its memory: with a new kernel, or what was saved."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xend.helper import memory_map
from xend.helper.steps import Steps

if TYPE_CHECKING:
    from xend._guest import Handle
    from xend.hypervisor import Blueprint, Image

#: Of HVM_PARAM_* (xen/include/public/hvm/params.h).
VIRIDIAN, TIMER_MODE, HPET_ENABLED, VPT_ALIGN, MCA_CAP = 9, 10, 11, 16, 38
#: As libxl sets it for PVH: HVMPTM_no_delay_for_missed_ticks.
NO_DELAY = 1
#: The numbers of HVMPTM_*.
TIMER_MODES = {
    "delay_for_missed_ticks": 0,
    "no_delay_for_missed_ticks": 1,
    "no_missed_ticks_pending": 2,
    "one_missed_tick_pending": 3,
}
#: The bits of HVMPV_*; where a domain sees any of them but not freq, it is told so.
VIRIDIAN_BITS = {
    "base": 0, "time_ref_count": 2, "reference_tsc": 3, "hcall_remote_tlb_flush": 4, "apic_assist": 5,
    "crash_ctl": 6, "synic": 7, "stimer": 8, "hcall_ipi": 9, "ex_processor_masks": 10, "no_vp_limit": 11,
    "cpu_hotplug": 12,
}  # fmt: skip
_FREQ, _NO_FREQ = "freq", 1 << 1
#: XEN_HVM_MCA_CAP_LMCE.
LMCE = 1
#: The numbers of XEN_ALTP2M_MODES (xen/include/public/hvm/params.h: HVM_PARAM_ALTP2M).
ALTP2M = {"disabled": 0, "mixed": 1, "external": 2, "limited": 3}
#: A leaf of CPUID that has none (XEN_CPUID_INPUT_UNUSED, xen/include/public/domctl.h).
NO_SUBLEAF = 0xFFFFFFFF
#: The register IA32_ARCH_CAPABILITIES.
ARCH_CAPABILITIES = 0x10A


def set_limits(steps: Steps, handle: "Handle", domid: int, image: "Image") -> None:
    """What it may have, and what its memory map says.

    Raises:
        LibraryError: one was refused.
    """
    blueprint = image.blueprint
    is_hvm = blueprint.type != "pv"
    with steps.at("limits"):
        if is_hvm:
            for parameter, value in parameters_of(image):
                handle.set_parameter(domid, parameter, value)
            handle.set_altp2m(domid, ALTP2M[blueprint.altp2m])
        else:
            handle.set_memory_map_limit(domid, blueprint.max_memory_kib)
            if image.has_host_memory_map:
                host = handle.machine_memory_map()
                rows = memory_map.of_host(host, image.memory_kib, blueprint.max_memory_kib)
                handle.set_memory_map(domid, rows)
    if is_hvm:
        with steps.at("paging"):
            handle.set_paging_pool(domid, paging_bytes(blueprint))


def set_policy(steps: Steps, handle: "Handle", domid: int, image: "Image") -> None:
    """What it sees of the processor; of a domain that is restored the stream says it.

    Raises:
        LibraryError: it was refused.
    """
    blueprint = image.blueprint
    with steps.at("policy"):
        has_invariant_tsc = not blueprint.is_migratable or blueprint.tsc_mode == "always_emulate"
        bits = image.arch_capabilities
        handle.apply_cpuid_policy(
            domid,
            image.machine is None or image.machine.has_pae,
            has_invariant_tsc,
            blueprint.has_nested_virt,
            [
                (leaf, NO_SUBLEAF if sub is None else sub, [text.encode("ascii") for text in registers])
                for leaf, sub, registers in image.cpuid
            ],
            [(ARCH_CAPABILITIES, bits.encode("ascii"))] if bits else [],
        )


def parameters_of(image: "Image") -> list[tuple[int, int]]:
    """Those of a domain that is not paravirtual, in libxl's order."""
    machine = image.machine
    if machine is None:
        return [(TIMER_MODE, NO_DELAY)]
    viridian = [(VIRIDIAN, viridian_bits(machine.viridian))] if machine.viridian else []
    mca = [(MCA_CAP, LMCE)] if machine.has_lmce else []
    return [
        *viridian,
        *mca,
        (HPET_ENABLED, int(machine.has_hpet)),
        (VPT_ALIGN, int(machine.is_vpt_aligned)),
        (TIMER_MODE, TIMER_MODES[machine.timer_mode]),
    ]


def viridian_bits(names: Sequence[str]) -> int:
    """HVMPV_* of some names."""
    bits = sum(1 << VIRIDIAN_BITS[name] for name in set(names) if name != _FREQ)
    return bits if _FREQ in names else bits | _NO_FREQ


def paging_bytes(blueprint: "Blueprint") -> int:
    """Memory of the host for the page tables of a domain that is not paravirtual, by libxl's formula
    (domain-build.md 1, step 6), unless its blueprint says how much."""
    if blueprint.paging_kib is not None:
        return 1024 * blueprint.paging_kib
    return 4096 * (256 * blueprint.max_vcpus + blueprint.max_memory_kib // 1024)
