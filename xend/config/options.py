"""All options of xl.cfg(5), each with what of it can be had here; and the names that only xm knew.

The degrees follow from a row (xend.config.degrees): what this xend reads has effect; of the others a value
that is neutral, or an option that means nothing for the guest's type, is taken; any other value is refused.
A name that stands in no row is one that xl does not read: a warning.  Rows are from xl 4.17 and newer ones
(tools/xl/xl_parse.c), the neutral values from libxl's and the hypervisor's defaults.
"""

from collections.abc import Mapping

from xend.config.option import HVM, PARAVIRTUAL, PV, PVH, Option
from xend.config.others import OTHERS

__all__ = ["OPTIONS", "XM"]

#: As their numbers count them.
_ALTP2M = ("disabled", "mixed", "external", "limited")
_TSC_MODES = ("default", "always_emulate", "native", "native_paravirt")
_PASSTHROUGH = ("default", "disabled", "enabled", "sync_pt", "share_pt")
_TIMER_MODES = (
    "delay_for_missed_ticks", "no_delay_for_missed_ticks", "no_missed_ticks_pending",
    "one_missed_tick_pending",
)  # fmt: skip
_SOUND = ("hda", "ac97", "adlib", "cs4231a", "es1370", "gus", "sb16")
_VIRIDIAN = (
    "all", "defaults", "base", "freq", "time_ref_count", "reference_tsc", "hcall_remote_tlb_flush",
    "apic_assist", "crash_ctl", "synic", "stimer", "hcall_ipi", "ex_processor_masks", "no_vp_limit",
    "cpu_hotplug",
)  # fmt: skip
#: Types whose screen these describe; to a pvh domain vfb gives one.
_SCREEN = ("pv", "hvm")

#: What this xend reads.
_READ = (
    Option("name", "s", is_here=True),
    Option("uuid", "s", is_here=True),
    Option("type", "s", is_here=True),
    Option("builder", "s", is_here=True),
    Option("kernel", "s", is_here=True),
    Option("ramdisk", "s", is_here=True),
    Option("cmdline", "s", is_here=True),
    Option("bootloader", "s", PARAVIRTUAL, is_here=True),
    Option("bootloader_args", "sl", PARAVIRTUAL, is_here=True),
    Option("bootloader_restrict", "b", PARAVIRTUAL, is_here=True),
    Option("bootloader_user", "s", PARAVIRTUAL, is_here=True),
    Option("firmware", "s", is_here=True),
    Option("firmware_override", "s", HVM, is_here=True),
    Option("bios", "s", HVM, is_here=True, words=("seabios", "ovmf", "rombios")),
    Option("bios_path_override", "s", HVM, is_here=True),
    Option("acpi_firmware", "s", HVM, is_here=True),
    Option("smbios_firmware", "s", HVM, is_here=True),
    Option("smbios", "l", HVM, is_here=True),
    Option("boot", "s", HVM, is_here=True),
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
    Option("cpu_weight", "n", is_here=True),
    Option("cap", "n", is_here=True),
    Option("period", "n", is_here=True),
    Option("extratime", "b", is_here=True),
    Option("rtc_timeoffset", "n", is_here=True),
    Option("localtime", "b", is_here=True),
    Option("vpmu", "b", is_here=True),
    Option("msr_relaxed", "b", is_here=True),
    Option("vmtrace_buf_kb", "n", is_here=True),
    Option("passthrough", "s", is_here=True, words=_PASSTHROUGH),
    Option("hap", "b", PVH, is_here=True),
    Option("oos", "b", PVH, is_here=True),
    Option("nestedhvm", "b", PVH, is_here=True),
    Option("shadow_memory", "n", PVH, is_here=True),
    Option("altp2m", "sn", PVH, is_here=True, words=_ALTP2M),
    Option("altp2m_count", "n", PVH, is_here=True),
    Option("altp2mhvm", "b", HVM, is_here=True),
    Option("acpi", "b", PVH, is_here=True),
    Option("acpi_s3", "b", HVM, is_here=True),
    Option("acpi_s4", "b", HVM, is_here=True),
    Option("acpi_laptop_slate", "b", HVM, is_here=True),
    Option("apic", "b", HVM, is_here=True),
    Option("pae", "b", HVM, is_here=True),
    Option("hpet", "b", HVM, is_here=True),
    Option("vpt_align", "b", HVM, is_here=True),
    Option("timer_mode", "sn", HVM, is_here=True, words=_TIMER_MODES),
    Option("viridian", "bl", HVM, is_here=True, words=_VIRIDIAN),
    Option("mca_caps", "l", HVM, is_here=True, words=("lmce",)),
    Option("ms_vm_genid", "s", HVM, is_here=True, words=("none", "generate")),
    Option("mmio_hole", "n", HVM, is_here=True),
    Option("hvm_pirq", "b", HVM, is_here=True),
    Option("xen_platform_pci", "b", HVM, is_here=True),
    Option("vendor_device", "s", HVM, is_here=True, words=("none", "xenserver")),
    Option("hdtype", "s", HVM, is_here=True, words=("ide", "ahci")),
    Option("vga", "s", HVM, is_here=True, words=("stdvga", "none", "cirrus", "qxl")),
    Option("stdvga", "b", HVM, is_here=True),
    Option("videoram", "n", HVM, is_here=True),
    Option("nographic", "b", HVM, is_here=True),
    Option("serial", "sl", HVM, is_here=True),
    Option("soundhw", "s", HVM, is_here=True, words=_SOUND),
    Option("usb", "b", HVM, is_here=True),
    Option("usbversion", "n", HVM, is_here=True),
    Option("usbdevice", "sl", HVM, is_here=True),
    Option("vkb_device", "b", HVM, is_here=True),
    Option("xenstore_feature_mask", "n", is_here=True),
    Option("xenstore_quota", "l", is_here=True),
    Option("xend_suspend_evtchn_compat", "b", is_here=True),
    Option("cpuid", "sl", is_here=True),
    Option("nomigrate", "b", is_here=True),
    Option("tsc_mode", "sn", is_here=True, words=_TSC_MODES),
    Option("e820_host", "b", PV, is_here=True),
    Option("ioports", "l", is_here=True),
    Option("iomem", "l", is_here=True),
    Option("irqs", "l", is_here=True),
    Option("disk", "l", is_here=True),
    Option("vif", "l", is_here=True),
    Option("vtpm", "l", is_here=True),
    Option("vfb", "l", is_here=True, is_secret=True),
    Option("vkb", "l", is_here=True),
    Option("p9", "l", is_here=True),
    Option("channel", "l", is_here=True),
    Option("usbctrl", "l", is_here=True),
    Option("usbdev", "l", is_here=True),
    Option("vnc", "b", _SCREEN, is_here=True),
    Option("vnclisten", "s", _SCREEN, is_here=True),
    Option("vncdisplay", "n", _SCREEN, is_here=True),
    Option("vncunused", "b", _SCREEN, is_here=True),
    Option("vncpasswd", "s", _SCREEN, is_here=True, is_secret=True),
    Option("keymap", "s", _SCREEN, is_here=True),
    Option("sdl", "b", _SCREEN, is_here=True),
    Option("opengl", "b", _SCREEN, is_here=True),
    Option("display", "s", _SCREEN, is_here=True),
    Option("xauthority", "s", _SCREEN, is_here=True),
    Option("spice", "b", HVM, is_here=True),
    Option("spicehost", "s", HVM, is_here=True),
    Option("spiceport", "n", HVM, is_here=True),
    Option("spicetls_port", "n", HVM, is_here=True),
    Option("spicepasswd", "s", HVM, is_here=True, is_secret=True),
    Option("spicedisable_ticketing", "b", HVM, is_here=True),
    Option("spiceagent_mouse", "b", HVM, is_here=True),
    Option("spicevdagent", "b", HVM, is_here=True),
    Option("spice_clipboard_sharing", "b", HVM, is_here=True),
    Option("spiceusbredirection", "n", HVM, is_here=True),
    Option(
        "spice_image_compression",
        "s",
        HVM,
        words=("auto_glz", "auto_lz", "quic", "glz", "lz", "off"),
        is_here=True,
    ),
    Option("spice_streaming_video", "s", HVM, words=("filter", "all", "off"), is_here=True),
    Option("pci", "l", is_here=True),
    Option("pci_permissive", "b", is_here=True),
    Option("pci_msitranslate", "b", is_here=True),
    Option("pci_seize", "b", is_here=True),
    Option("pci_power_mgmt", "b", is_here=True),
    Option("pci_accept", "l", is_here=True),
    Option("driver_domain", "b", is_here=True),
    Option("device_model_override", "s", is_here=True),
    Option("device_model_args", "l", is_here=True),
    Option("device_model_args_pv", "l", PARAVIRTUAL, is_here=True),
    Option("device_model_args_hvm", "l", HVM, is_here=True),
    Option("device_model_user", "s", is_here=True, protects=True),
    Option("dm_restrict", "b", is_here=True, protects=True),
    Option("seclabel", "s", is_here=True),
    Option("init_seclabel", "s", is_here=True),
    Option("device_model_stubdomain_seclabel", "s", is_here=True),
    Option("on_poweroff", "s", is_here=True),
    Option("on_reboot", "s", is_here=True),
    Option("on_crash", "s", is_here=True),
    Option("on_watchdog", "s", is_here=True),
    Option("on_soft_reset", "s", is_here=True),
    Option("autostart_after", "l", is_here=True),
    Option("autostart_delay", "n", is_here=True),
    Option("on_shutdown", "s", is_here=True),
)

#: By name.
OPTIONS: Mapping[str, Option] = {option.name: option for option in (*_READ, *OTHERS)}

_ADDRESS = 'the kernel reads that of its command line: extra = "ip=..."'
_EVENTS = "on_poweroff, on_reboot and on_crash say what is done"
_HOST = "with the host start the domains of the directory auto, see xl.cfg(5), autostart_after"
_HOST_STOP = "on_shutdown says what is done as the host stops: shutdown or save"

#: What only xm knew, or nobody, with what says the same today, if anything does; xl does not read it, or only
#: to say so.
XM: Mapping[str, str | None] = {
    "cpu": 'cpus = "1" says on which CPU it runs',
    "vcpu_avail": "vcpus says how many of maxvcpus are there at the start",
    "restart": _EVENTS,
    "autorestart": _EVENTS,
    "irq": "irqs = [ ... ] gives interrupts",
    "nics": "vif = [ ... ] has an item for each interface",
    "vif2": "vif = [ ... ] gives interfaces",
    "vusb": "usbctrl and usbdev give USB devices",
    "ip": _ADDRESS,
    "gateway": _ADDRESS,
    "netmask": _ADDRESS,
    "hostname": _ADDRESS,
    "interface": _ADDRESS,
    "dhcp": _ADDRESS,
    "nfs_server": 'the kernel reads that of its command line: extra = "nfsroot=..."',
    "nfs_root": 'the kernel reads that of its command line: extra = "nfsroot=..."',
    "device_model": "xend finds qemu by itself; device_model_override names another one",
    "on_xend_start": _HOST,
    "on_xend_stop": _HOST_STOP,
    "access_control": "seclabel gives a label",
    "budget": "xl sched-rtds -d NAME -b MICROSECONDS gives it to one that runs",
    "vncviewer": "xl vncviewer shows a domain",
    "bootargs": "bootloader_args are the boot loader's",
    **dict.fromkeys(
        (
            "features", "loader", "blkif", "netif", "vscsi", "fda", "fdb", "parallel", "monitor",
            "monitor_path", "description", "guest_os_type", "isa", "target", "s3_integrity", "cpuid_check",
            "machine_address_size", "suppress_spurious_page_faults", "vncconsole", "memory_sharing", "vhpt",
            "bootentry",
        )
    ),
}  # fmt: skip
