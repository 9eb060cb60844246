"""All options of xl.cfg(5), and those that only xm had: what each takes, and whether it has effect here.

Kinds are letters: s a text, n a number, b a boolean, l a list; two letters: either.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping

import attrs

__all__ = ["ACTIONS", "OPTIONS", "Option", "accepted", "closest"]

#: What may be done with a domain when something happened to it; soft-reset only for on_soft_reset.
ACTIONS = (
    "destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart", "soft-reset",
)  # fmt: skip

_HAVING_EFFECT = {
    "s": """name uuid type builder on_poweroff on_reboot on_crash on_watchdog on_soft_reset
            kernel ramdisk cmdline root extra""",
    "n": "vcpus maxvcpus memory maxmem autostart_delay",
    "b": "driver_domain",
    "l": "disk vif autostart_after",
}

_WITHOUT_EFFECT = {
    "s": """pool seclabel init_seclabel rdm bootloader bootloader_user firmware bios bios_path_override boot
            pvshim_path pvshim_cmdline pvshim_extra device_tree passthrough altp2m hdtype acpi_firmware
            smbios_firmware ms_vm_genid vga vnclisten vncpasswd keymap soundhw vendor_device spicehost
            spicepasswd spice_image_compression spice_streaming_video device_model_version
            device_model_override device_model_user stubdomain_kernel stubdomain_cmdline stubdomain_ramdisk
            gic_version vuart tee sve arm_sci""",
    "n": """cpu_weight cap period slice latency extratime shadow_memory videoram mmio_hole rdm_mem_boundary
            max_grant_frames max_maptrack_frames max_grant_version max_event_channels xenstore_feature_mask
            vmtrace_buf_kb altp2m_count rtc_timeoffset vncdisplay usbversion spiceport spicetls_port
            spiceusbredirection stubdomain_memory nr_spis""",
    "b": """nomigrate nestedhvm vpmu msr_relaxed bootloader_restrict pvshim pci_permissive pci_msitranslate
            pci_seize pci_power_mgmt e820_host xend_suspend_evtchn_compat hap oos pae acpi acpi_s3 acpi_s4
            acpi_laptop_slate apic nx hpet localtime vpt_align xen_platform_pci xen_platform_pci_bar_uc
            hvm_pirq stdvga vnc vncunused sdl opengl nographic usb vkb_device spice spicedisable_ticketing
            spiceagent_mouse spicevdagent spice_clipboard_sharing dm_restrict
            device_model_stubdomain_override trap_unmapped_accesses""",
    "l": """vnuma mca_caps llc_colors vfb vtpm p9 pvcalls channel usbctrl usbdev pci dtdev ioports iomem irqs
            vdispl vsnd vkb virtio xenstore_quota smbios device_model_args device_model_args_pv
            device_model_args_hvm""",
    "sl": "cpus cpus_soft cpuid bootloader_args serial usbdevice",
    "sb": "gfx_passthru",
    "sn": "tsc_mode timer_mode",
    "bl": "viridian",
}

#: What only xm knew; its kinds were Python's.
_XM = """cpu vcpu_avail features loader restart blkif netif nics vif2 vscsi vusb irq ip gateway netmask
    hostname interface dhcp nfs_server nfs_root device_model fda fdb parallel monitor monitor_path description
    guest_os_type isa display xauthority on_xend_start on_xend_stop target s3_integrity cpuid_check
    machine_address_size suppress_spurious_page_faults access_control vncconsole vncviewer memory_sharing vhpt
    bootargs bootentry"""

_KIND_WORDS = {"s": "a text in quotes", "n": "a number", "b": "0 or 1", "l": "a list in brackets"}


@attrs.frozen
class Option:
    """An option.

    Attributes:
        kind: one or two of the letters s, n, b, l; empty for xm's.
        known: it has effect now.
        is_xm: only xm had it.
    """

    name: str
    kind: str
    known: bool = False
    is_xm: bool = False


def _all() -> Iterator[Option]:
    for kind, names in _HAVING_EFFECT.items():
        yield from (Option(name, kind, known=True) for name in names.split())
    for kind, names in _WITHOUT_EFFECT.items():
        yield from (Option(name, kind) for name in names.split())
    yield from (Option(name, "", is_xm=True) for name in _XM.split())


#: By name.
OPTIONS: Mapping[str, Option] = {option.name: option for option in _all()}


def accepted(kind: str) -> str:
    """What a kind takes, in words: "a text in quotes or a list in brackets"."""
    return " or ".join(_KIND_WORDS[letter] for letter in kind)


def closest(word: str, names: Iterable[str]) -> str | None:
    """A hint that names what somebody may have meant; None: nothing is near."""
    # difflib takes the square of a word's length.
    near = difflib.get_close_matches(word[:40], list(names), n=3)
    return f"did you mean {' or '.join(near)}?" if near else None
