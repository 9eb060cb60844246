"""The options of xl.cfg(5) that this xend does not read: what they take, and why they cannot be had.

Rows are from xl 4.17 and newer ones
(tools/xl/xl_parse.c), the values from libxl_types.idl and xl.cfg(5) of Xen.
"""

from collections.abc import Sequence

from xend.config.option import HVM, NONE, Option

__all__ = ["OTHERS"]

_ARM = "it is of Arm's processors, and this xend is for those of x86"
_DEVICE = "this xend knows no such devices yet"
_GRAPHICS = "a graphics card of the host is given to a domain as any card is, by pci, beside the emulated one"
_NODES = "this xend shows a domain one NUMA node; cpus = ... may place it on one of the host's"
_RESERVED = (
    "no memory is moved out of the way of what firmware reserved for a card: where they collide, Xen refuses "
    "the card, unless its item has rdm_policy=relaxed"
)
_SEDF = "it was of the scheduler sedf, which Xen has no longer"
_SHIM = (
    "this xend puts no hypervisor between: type = 'pvh' boots a kernel that can do without, 'pv' any other"
)
_STUB = "this xend runs device models in dom0 only, never in stub domains"

OTHERS: Sequence[Option] = (
    # Where it runs.
    Option("slice", "n", NONE, lacks=_SEDF),
    Option("latency", "n", NONE, lacks=_SEDF),
    Option("vnuma", "l", lacks=_NODES),
    Option("llc_colors", "l", lacks=_ARM),
    # Memory.
    Option("rdm", "s", HVM, lacks=_RESERVED),
    Option("rdm_mem_boundary", "n", HVM, lacks=_RESERVED),
    # What it boots.
    Option("blkdev_start", "s", NONE, lacks="boot loaders read the disk itself, which dom0 attaches nowhere"),
    Option("pvshim", "b", lacks=_SHIM, protects=True),
    Option("pvshim_path", "s", NONE, lacks=_SHIM),
    Option("pvshim_cmdline", "s", NONE, lacks=_SHIM),
    Option("pvshim_extra", "s", NONE, lacks=_SHIM),
    # Devices of the host.
    Option("dtdev", "l", lacks=_ARM),
    Option("gfx_passthru", "sb", HVM, lacks=_GRAPHICS, words=("0", "1", "igd", "default")),
    # Devices other than disks and interfaces.
    Option("pvcalls", "l", lacks=_DEVICE),
    Option("vdispl", "l", lacks=_DEVICE),
    Option("vsnd", "l", lacks=_DEVICE),
    Option("virtio", "l", lacks=_DEVICE),
    # What the hardware of an HVM or PVH domain is like.
    Option(
        "nx", "b", HVM, neutral=(1,), lacks='libxl does nothing with it; cpuid = "host,nx=0" takes it away'
    ),
    Option(
        "xen_platform_pci_bar_uc", "b", HVM, neutral=(1,), lacks="it needs the hvmloader of Xen 4.20 or newer"
    ),
    # The device model, which a paravirtual domain without such devices has none of.
    Option(
        "device_model_version",
        "s",
        HVM,
        neutral=("qemu-xen",),
        words=("qemu-xen", "qemu-xen-traditional"),
        lacks="Xen has no other by now",
    ),
    Option("device_model_stubdomain_override", "b", lacks=_STUB, protects=True),
    Option("stubdomain_kernel", "s", NONE, lacks=_STUB),
    Option("stubdomain_cmdline", "s", NONE, lacks=_STUB),
    Option("stubdomain_ramdisk", "s", NONE, lacks=_STUB),
    Option("stubdomain_memory", "n", NONE, lacks=_STUB),
    # Of Arm.
    Option("device_tree", "s", NONE, lacks=_ARM),
    Option("gic_version", "s", NONE, neutral=("default",), lacks=_ARM, words=("default", "v2", "v3")),
    Option("vuart", "s", NONE, neutral=("unknown",), lacks=_ARM, words=("unknown", "sbsa_uart")),
    Option("tee", "s", NONE, neutral=("none",), lacks=_ARM, words=("none", "optee", "ffa")),
    Option("sve", "sn", NONE, lacks=_ARM),
    Option("arm_sci", "s", NONE, lacks=_ARM),
    Option("nr_spis", "n", NONE, lacks=_ARM),
    Option("trap_unmapped_accesses", "b", NONE, lacks=_ARM),
)
