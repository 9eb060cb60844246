"""The options of xl.cfg(5) that this xend does not read: what they take, and why they cannot be had.

What needs a device model is judged here as far as its value goes.  Rows are from xl 4.17 and newer ones
(tools/xl/xl_parse.c), the values from libxl_types.idl and xl.cfg(5) of Xen.
"""

from collections.abc import Sequence

from xend.config.option import HVM, NONE, PVH, Option

__all__ = ["OTHERS"]

_ARM = "it is of Arm's processors, and this xend is for those of x86"
_DEVICE = "this xend knows no such devices yet"
_FIRMWARE = "this xend loads no firmware yet: kernel = ... names a file of dom0"
_HOST_DEVICE = "this xend gives no devices of the host to domains yet"
_MODEL = "it needs a device model, which this xend does not run yet"
_NODES = "this xend shows a domain one NUMA node; cpus = ... may place it on one of the host's"
_SEDF = "it was of the scheduler sedf, which Xen has no longer"
_SHIM = (
    "this xend puts no hypervisor between: type = 'pvh' boots a kernel that can do without, 'pv' any other"
)
_STUB = "this xend runs device models in dom0 only, never in stub domains"

_TIMER_MODES = (
    "delay_for_missed_ticks", "no_delay_for_missed_ticks", "no_missed_ticks_pending",
    "one_missed_tick_pending",
)  # fmt: skip
_VIRIDIAN = (
    "all", "defaults", "base", "freq", "time_ref_count", "reference_tsc", "hcall_remote_tlb_flush",
    "apic_assist", "crash_ctl", "synic", "stimer", "hcall_ipi", "ex_processor_masks", "no_vp_limit",
    "cpu_hotplug",
)  # fmt: skip

OTHERS: Sequence[Option] = (
    # Where it runs.
    Option("slice", "n", NONE, lacks=_SEDF),
    Option("latency", "n", NONE, lacks=_SEDF),
    Option("vnuma", "l", lacks=_NODES),
    Option("mca_caps", "l", HVM, lacks=_MODEL, words=("lmce",)),
    Option("llc_colors", "l", lacks=_ARM),
    # Memory.
    Option("videoram", "n", HVM, lacks=_MODEL),
    Option("mmio_hole", "n", HVM, lacks=_MODEL),
    Option("rdm", "s", HVM, lacks=_HOST_DEVICE),
    Option("rdm_mem_boundary", "n", HVM, lacks=_HOST_DEVICE),
    # What it boots.
    Option("blkdev_start", "s", NONE, lacks="boot loaders read the disk itself, which dom0 attaches nowhere"),
    Option("firmware", "s", lacks=_FIRMWARE),
    Option("firmware_override", "s", HVM, lacks=_MODEL),
    Option("bios", "s", HVM, lacks=_MODEL, words=("rombios", "seabios", "ovmf")),
    Option("bios_path_override", "s", HVM, lacks=_MODEL),
    Option("boot", "s", HVM, neutral=("", "c"), lacks=_MODEL),
    Option("pvshim", "b", lacks=_SHIM, protects=True),
    Option("pvshim_path", "s", NONE, lacks=_SHIM),
    Option("pvshim_cmdline", "s", NONE, lacks=_SHIM),
    Option("pvshim_extra", "s", NONE, lacks=_SHIM),
    # Devices of the host.
    Option("dtdev", "l", lacks=_HOST_DEVICE),
    Option("gfx_passthru", "sb", HVM, lacks=_HOST_DEVICE, words=("0", "1", "igd")),
    # Devices other than disks and interfaces.
    Option("pvcalls", "l", lacks=_DEVICE),
    Option("vdispl", "l", lacks=_DEVICE),
    Option("vsnd", "l", lacks=_DEVICE),
    Option("virtio", "l", lacks=_DEVICE),
    # What the hardware of an HVM or PVH domain is like.
    Option("pae", "b", HVM, neutral=(1,), lacks=_MODEL),
    Option("acpi", "b", PVH, neutral=(1,), lacks="a pvh domain is booted with ACPI tables, and needs them"),
    Option("acpi_s3", "b", HVM, neutral=(1,), lacks=_MODEL),
    Option("acpi_s4", "b", HVM, neutral=(1,), lacks=_MODEL),
    Option("acpi_laptop_slate", "b", HVM, lacks=_MODEL),
    Option("apic", "b", HVM, neutral=(1,), lacks=_MODEL),
    Option("nx", "b", HVM, neutral=(1,), lacks=_MODEL),
    Option("hpet", "b", HVM, neutral=(1,), lacks=_MODEL),
    Option("altp2mhvm", "b", HVM, lacks="it is called altp2m by now"),
    Option("hdtype", "s", HVM, neutral=("", "ide"), lacks=_MODEL, words=("ide", "ahci")),
    Option("vpt_align", "b", HVM, neutral=(1,), lacks=_MODEL),
    Option("timer_mode", "sn", HVM, neutral=(1, _TIMER_MODES[1]), lacks=_MODEL, words=_TIMER_MODES),
    Option("xen_platform_pci", "b", HVM, neutral=(1,), lacks=_MODEL),
    Option("xen_platform_pci_bar_uc", "b", HVM, neutral=(1,), lacks=_MODEL),
    Option("viridian", "bl", HVM, lacks=_MODEL, words=_VIRIDIAN),
    Option("hvm_pirq", "b", HVM, lacks=_MODEL),
    Option("acpi_firmware", "s", HVM, lacks=_MODEL),
    Option("smbios_firmware", "s", HVM, lacks=_MODEL),
    Option("smbios", "l", HVM, lacks=_MODEL),
    Option("ms_vm_genid", "s", HVM, neutral=("", "none"), lacks=_MODEL),
    # What it shows and hears.
    Option("nographic", "b", HVM, lacks=_MODEL),
    Option("vga", "s", HVM, lacks=_MODEL, words=("stdvga", "none", "cirrus", "qxl")),
    Option("stdvga", "b", HVM, lacks=_MODEL),
    Option("spice", "b", HVM, lacks=_MODEL),
    Option("spicehost", "s", NONE, lacks="it says how what spice = 1 shows is reached"),
    Option("spiceport", "n", NONE, lacks="it says how what spice = 1 shows is reached"),
    Option("spicetls_port", "n", NONE, lacks="it says how what spice = 1 shows is reached"),
    Option("spicepasswd", "s", NONE, is_secret=True, lacks="it says how what spice = 1 shows is reached"),
    Option("spicedisable_ticketing", "b", NONE, lacks="it says how what spice = 1 shows is reached"),
    Option("spiceagent_mouse", "b", NONE, lacks="it says how what spice = 1 shows is reached"),
    Option("spicevdagent", "b", NONE, lacks="it says how what spice = 1 shows is reached"),
    Option("spice_clipboard_sharing", "b", NONE, lacks="it says how what spice = 1 shows is reached"),
    Option("spiceusbredirection", "n", NONE, lacks="it says how what spice = 1 shows is reached"),
    Option("spice_image_compression", "s", NONE, lacks="it says how what spice = 1 shows is reached"),
    Option("spice_streaming_video", "s", NONE, lacks="it says how what spice = 1 shows is reached"),
    Option("serial", "sl", HVM, lacks=_MODEL),
    Option("soundhw", "s", HVM, lacks=_MODEL),
    Option("usb", "b", HVM, lacks=_MODEL),
    Option("usbversion", "n", HVM, neutral=(0,), lacks=_MODEL),
    Option("usbdevice", "sl", HVM, lacks=_MODEL),
    Option("vendor_device", "s", HVM, neutral=("", "none"), lacks=_MODEL, words=("none", "xenserver")),
    Option("vkb_device", "b", HVM, neutral=(1,), lacks=_MODEL),
    # The device model, which a paravirtual domain without such devices has none of.
    Option(
        "device_model_version",
        "s",
        HVM,
        neutral=("qemu-xen",),
        words=("qemu-xen", "qemu-xen-traditional"),
        lacks=_MODEL,
    ),
    Option("device_model_args_hvm", "l", HVM, lacks=_MODEL),
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
