"""All options of xl.cfg(5), each with what of it can be had here; and the names that only xm knew.

The degrees follow from a row (xend.config.degrees): what this xend reads has effect; of the others a value
that is neutral, or an option that means nothing for the guest's type, is taken; any other value is refused.
A name that stands in no row is one that xl does not read: a warning.  Rows are from xl 4.17 and newer ones
(tools/xl/xl_parse.c), the neutral values from libxl's and the hypervisor's defaults.
"""

from collections.abc import Mapping

from xend.config.option import HVM, NONE, PVH, Option

__all__ = ["OPTIONS", "XM"]

_BOOTLOADER = "this xend runs no boot loaders yet: kernel = ... names a file of dom0"
_DEVICE = "this xend knows no such devices yet"
_HOST_DEVICE = "this xend gives no devices of the host to domains yet"
_LABEL = "this xend gives no security labels yet"
_MODEL = "it needs a device model, which this xend does not run yet"
_STUB = "this xend runs no stub domains"

_ALTP2M = ("disabled", "mixed", "external", "limited")
_PASSTHROUGH = ("default", "disabled", "enabled", "sync_pt", "share_pt")

_ROWS = (
    # What this xend reads.
    Option("name", "s", is_here=True),
    Option("uuid", "s", is_here=True),
    Option("type", "s", is_here=True),
    Option("builder", "s", is_here=True),
    Option("kernel", "s", is_here=True),
    Option("ramdisk", "s", is_here=True),
    Option("cmdline", "s", is_here=True),
    Option("root", "s", is_here=True),
    Option("extra", "s", is_here=True),
    Option("vcpus", "n", is_here=True),
    Option("maxvcpus", "n", is_here=True),
    Option("cpus", "sl", is_here=True),
    Option("cpus_soft", "sl", is_here=True),
    Option("pool", "s", is_here=True),
    Option("memory", "n", is_here=True),
    Option("maxmem", "n", is_here=True),
    Option("max_grant_frames", "n", is_here=True),
    Option("max_maptrack_frames", "n", is_here=True),
    Option("max_grant_version", "n", is_here=True),
    Option("max_event_channels", "n", is_here=True),
    Option("nomigrate", "b", is_here=True),
    Option("tsc_mode", "sn", is_here=True),
    Option("e820_host", "b", is_here=True),
    Option("ioports", "l", is_here=True),
    Option("iomem", "l", is_here=True),
    Option("irqs", "l", is_here=True),
    Option("disk", "l", is_here=True),
    Option("vif", "l", is_here=True),
    Option("vtpm", "l", is_here=True),
    Option("driver_domain", "b", is_here=True),
    Option("on_poweroff", "s", is_here=True),
    Option("on_reboot", "s", is_here=True),
    Option("on_crash", "s", is_here=True),
    Option("on_watchdog", "s", is_here=True),
    Option("on_soft_reset", "s", is_here=True),
    Option("autostart_after", "l", is_here=True),
    Option("autostart_delay", "n", is_here=True),
    # Where it runs, and who may do what to it.
    Option("seclabel", "s", lacks=_LABEL, protects=True),
    Option("init_seclabel", "s", lacks=_LABEL, protects=True),
    # Virtual CPUs.
    Option("cpu_weight", "n", neutral=(256,)),
    Option("cap", "n", neutral=(0,)),
    Option("period", "n", neutral=(0,)),
    Option("extratime", "n", neutral=(0,)),
    # Of the scheduler sedf, which Xen no longer has.
    Option("slice", "n", NONE),
    Option("latency", "n", NONE),
    Option("cpuid", "sl", neutral=("", "host")),
    Option("vnuma", "l"),
    Option("vpmu", "b"),
    Option("msr_relaxed", "b"),
    Option("nestedhvm", "b", PVH),
    Option("mca_caps", "l", HVM),
    Option("llc_colors", "l"),
    # Memory, and what the store bounds.
    Option("shadow_memory", "n", PVH),
    Option("videoram", "n", HVM),
    Option("mmio_hole", "n", HVM),
    Option("rdm", "s", HVM),
    Option("rdm_mem_boundary", "n", HVM),
    Option("xenstore_feature_mask", "n"),
    Option("xenstore_quota", "l"),
    Option("vmtrace_buf_kb", "n", neutral=(0,)),
    # What it boots.
    Option("bootloader", "s", lacks=_BOOTLOADER),
    # Arguments of a boot loader that there is not.
    Option("bootloader_args", "ls", NONE),
    Option("blkdev_start", "s", NONE),
    Option("bootloader_restrict", "b", lacks=_BOOTLOADER, protects=True),
    Option("bootloader_user", "s", lacks=_BOOTLOADER, protects=True),
    Option("firmware", "s"),
    Option("firmware_override", "s", HVM),
    Option("bios", "s", HVM),
    Option("bios_path_override", "s", HVM),
    Option("boot", "s", HVM, neutral=("", "c")),
    Option("pvshim", "b", protects=True),
    Option("pvshim_path", "s", NONE),
    Option("pvshim_cmdline", "s", NONE),
    Option("pvshim_extra", "s", NONE),
    # Devices of the host.
    Option("pci", "l", lacks=_HOST_DEVICE),
    # How the devices of pci are given.
    Option("pci_permissive", "b", NONE),
    Option("pci_msitranslate", "b", NONE),
    Option("pci_seize", "b", NONE),
    Option("pci_power_mgmt", "b", NONE),
    Option("dtdev", "l", lacks=_HOST_DEVICE),
    Option("passthrough", "s", neutral=("default", "disabled"), lacks=_HOST_DEVICE, words=_PASSTHROUGH),
    Option("gfx_passthru", "sb", HVM, lacks=_HOST_DEVICE),
    # Devices other than disks and interfaces.
    Option("vfb", "l", lacks=_MODEL),
    Option("p9", "l", lacks=_DEVICE),
    Option("pvcalls", "l", lacks=_DEVICE),
    Option("channel", "l", lacks=_DEVICE),
    Option("usbctrl", "l", lacks=_DEVICE),
    Option("usbdev", "l", lacks=_DEVICE),
    Option("vdispl", "l", lacks=_DEVICE),
    Option("vsnd", "l", lacks=_DEVICE),
    Option("vkb", "l", lacks=_DEVICE),
    Option("virtio", "l", lacks=_DEVICE),
    Option("xend_suspend_evtchn_compat", "b"),
    # What the hardware of an HVM or PVH domain is like.
    Option("hap", "b", PVH, neutral=(1,)),
    Option("oos", "b", PVH, neutral=(1,)),
    Option("pae", "b", HVM, neutral=(1,)),
    Option("acpi", "b", PVH, neutral=(1,)),
    Option("acpi_s3", "b", HVM, neutral=(1,)),
    Option("acpi_s4", "b", HVM, neutral=(1,)),
    Option("acpi_laptop_slate", "b", HVM),
    Option("apic", "b", HVM, neutral=(1,)),
    Option("nx", "b", HVM, neutral=(1,)),
    Option("hpet", "b", HVM, neutral=(1,)),
    Option("altp2m", "sn", PVH, neutral=("disabled", 0), words=_ALTP2M),
    Option("altp2mhvm", "b", HVM),
    Option("altp2m_count", "n", PVH, neutral=(0,)),
    Option("hdtype", "s", HVM, neutral=("", "ide")),
    Option("vpt_align", "b", HVM, neutral=(1,)),
    Option("timer_mode", "sn", HVM, neutral=(1, "no_delay_for_missed_ticks")),
    Option("xen_platform_pci", "b", HVM, neutral=(1,)),
    Option("xen_platform_pci_bar_uc", "b", HVM, neutral=(1,)),
    Option("viridian", "bl", HVM),
    Option("hvm_pirq", "b", HVM),
    Option("acpi_firmware", "s", HVM),
    Option("smbios_firmware", "s", HVM),
    Option("smbios", "l", HVM),
    Option("ms_vm_genid", "s", HVM, neutral=("", "none")),
    # Its clock.
    Option("localtime", "b"),
    Option("rtc_timeoffset", "n", neutral=(0,)),
    # What it shows and hears; of a paravirtual domain vnc only, the others say how.
    Option("vnc", "b", lacks=_MODEL),
    Option("vnclisten", "s", NONE),
    Option("vncdisplay", "n", NONE),
    Option("vncunused", "b", NONE),
    Option("vncpasswd", "s", NONE),
    Option("keymap", "s", NONE),
    Option("opengl", "b", NONE),
    Option("display", "s", NONE),
    Option("xauthority", "s", NONE),
    Option("sdl", "b", HVM, lacks=_MODEL),
    Option("nographic", "b", HVM, lacks=_MODEL),
    Option("vga", "s", HVM, lacks=_MODEL),
    Option("stdvga", "b", HVM, lacks=_MODEL),
    Option("spice", "b", HVM, lacks=_MODEL),
    Option("spicehost", "s", NONE),
    Option("spiceport", "n", NONE),
    Option("spicetls_port", "n", NONE),
    Option("spicepasswd", "s", NONE),
    Option("spicedisable_ticketing", "b", NONE),
    Option("spiceagent_mouse", "b", NONE),
    Option("spicevdagent", "b", NONE),
    Option("spice_clipboard_sharing", "b", NONE),
    Option("spiceusbredirection", "n", NONE),
    Option("spice_image_compression", "s", NONE),
    Option("spice_streaming_video", "s", NONE),
    Option("serial", "sl", HVM, lacks=_MODEL),
    Option("soundhw", "s", HVM, lacks=_MODEL),
    Option("usb", "b", HVM, lacks=_MODEL),
    Option("usbversion", "n", HVM, neutral=(0,), lacks=_MODEL),
    Option("usbdevice", "sl", HVM, lacks=_MODEL),
    Option("vendor_device", "s", HVM, neutral=("", "none"), lacks=_MODEL),
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
    Option("device_model_override", "s", HVM, lacks=_MODEL),
    Option("device_model_args", "l", HVM, lacks=_MODEL),
    Option("device_model_args_pv", "l", NONE),
    Option("device_model_args_hvm", "l", HVM, lacks=_MODEL),
    Option("device_model_user", "s", lacks=_MODEL, protects=True),
    Option("dm_restrict", "b", lacks=_MODEL, protects=True),
    Option("device_model_stubdomain_override", "b", lacks=_STUB, protects=True),
    Option("device_model_stubdomain_seclabel", "s", lacks=_LABEL, protects=True),
    Option("stubdomain_kernel", "s", NONE),
    Option("stubdomain_cmdline", "s", NONE),
    Option("stubdomain_ramdisk", "s", NONE),
    Option("stubdomain_memory", "n", NONE),
    # Of Arm.
    Option("device_tree", "s", NONE),
    Option("gic_version", "s", NONE, neutral=("default",), words=("default", "v2", "v3")),
    Option("vuart", "s", NONE, neutral=("unknown",), words=("unknown", "sbsa_uart")),
    Option("tee", "s", NONE, neutral=("none",), words=("none", "optee", "ffa")),
    Option("sve", "sn", NONE),
    Option("arm_sci", "s", NONE),
    Option("nr_spis", "n", NONE),
    Option("trap_unmapped_accesses", "b", NONE),
)

#: By name.
OPTIONS: Mapping[str, Option] = {option.name: option for option in _ROWS}

#: What only xm knew; xl does not read it, or only to say so.
XM = (
    "cpu", "vcpu_avail", "features", "loader", "restart", "blkif", "netif", "nics", "vif2", "vscsi",
    "vusb", "irq", "ip", "gateway", "netmask", "hostname", "interface", "dhcp", "nfs_server",
    "nfs_root", "device_model", "fda", "fdb", "parallel", "monitor", "monitor_path", "description",
    "guest_os_type", "isa", "on_xend_start", "on_xend_stop", "target", "s3_integrity", "cpuid_check",
    "machine_address_size", "suppress_spurious_page_faults", "access_control", "vncconsole",
    "vncviewer", "memory_sharing", "vhpt", "bootargs", "bootentry",
)  # fmt: skip
