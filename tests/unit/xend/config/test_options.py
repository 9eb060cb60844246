"""Every option once: what this xend reads takes what it takes; of the others each value has its degree."""

import pytest

from tests.unit.xend.config.conftest import complaint, config, problems
from xend.config.hardware import Hardware
from xend.config.option import ACTIONS, Option
from xend.config.options import OPTIONS, XM

HERE = [option for option in OPTIONS.values() if option.is_here]
OTHERS = [option for option in OPTIONS.values() if not option.is_here]

#: A value of each option that has effect.
VALUES = {
    "name": "'foo'",
    "uuid": "'039e9ee6-4a84-3055-4c81-8ba426ae2656'",
    "type": "'pv'",
    "builder": "'linux'",
    "on_poweroff": "'preserve'",
    "on_reboot": "'preserve'",
    "on_crash": "'preserve'",
    "on_watchdog": "'preserve'",
    "on_soft_reset": "'preserve'",
    "kernel": "'/netbsd'",
    "ramdisk": "'/ramdisk'",
    "bootloader": "'pygrub'",
    "bootloader_args": "['-q']",
    "bootloader_restrict": "1",
    "bootloader_user": "'b'",
    "cmdline": "'-v'",
    "root": "'xbd0a'",
    "extra": "'-v'",
    "vcpus": "1",
    "maxvcpus": "2",
    "memory": "128",
    "maxmem": "256",
    "cpus": "'0-1'",
    "cpus_soft": "'0-1'",
    "pool": "'fast'",
    "max_grant_frames": "64",
    "max_maptrack_frames": "64",
    "max_grant_version": "1",
    "max_event_channels": "100",
    "nomigrate": "1",
    "tsc_mode": "'native'",
    "e820_host": "1",
    "ioports": "['2f8-2ff']",
    "iomem": "['fe000,8']",
    "irqs": "['5']",
    "driver_domain": "1",
    "seclabel": "'system_u:system_r:domU_t'",
    "init_seclabel": "'system_u:system_r:domU_t'",
    "device_model_stubdomain_seclabel": "'system_u:system_r:domDM_t'",
    "cpu_weight": "512",
    "cap": "50",
    "period": "10000",
    "extratime": "1",
    "rtc_timeoffset": "'-3600'",
    "localtime": "1",
    "vpmu": "1",
    "msr_relaxed": "1",
    "vmtrace_buf_kb": "64",
    "passthrough": "'enabled'",
    "hap": "0",
    "oos": "0",
    "nestedhvm": "1",
    "shadow_memory": "8",
    "altp2m": "'external'",
    "altp2m_count": "5",
    "altp2mhvm": "1",
    "xenstore_feature_mask": "1",
    "xenstore_quota": "['nodes=5']",
    "xend_suspend_evtchn_compat": "1",
    "cpuid": "'host,htt=0'",
    "autostart_after": "['db']",
    "autostart_delay": "5",
    "on_shutdown": "'save'",
    "disk": "['phy:/a,xvda,w']",
    "vif": "['']",
    "vtpm": "['backend=tpm']",
    "vfb": "['vnc=1']",
    "vkb": "['backend-type=qemu']",
    "p9": "['tag=t,path=/srv,security_model=none']",
    "channel": "['name=a,connection=pty']",
    "usbctrl": "['type=pv']",
    "usbdev": "['hostbus=1,hostaddr=2']",
    "vnc": "1",
    "vnclisten": "'127.0.0.1'",
    "vncdisplay": "3",
    "vncunused": "0",
    "vncpasswd": "'x'",
    "keymap": "'de'",
    "sdl": "1",
    "opengl": "1",
    "display": "':0'",
    "xauthority": "'/root/.Xauthority'",
    "spice": "1; spiceport = 6000; spicepasswd = 'x'",
    "spicehost": "'::1'",
    "spiceport": "6000",
    "spicetls_port": "6001",
    "spicepasswd": "'x'",
    "spicedisable_ticketing": "1",
    "spiceagent_mouse": "0",
    "spicevdagent": "1",
    "spice_clipboard_sharing": "1",
    "spiceusbredirection": "4",
    "spice_image_compression": "'glz'",
    "spice_streaming_video": "'all'",
    "pci": "['01:00.0']",
    "pci_permissive": "1",
    "pci_msitranslate": "1",
    "pci_seize": "1",
    "pci_power_mgmt": "1",
    "pci_accept": "['no-reset']",
    "device_model_override": "'/usr/bin/qemu'",
    "device_model_args": "['-x']",
    "device_model_args_pv": "['-x']",
    "device_model_user": "'q'",
    "dm_restrict": "1",
    "firmware": "'uefi'",
    "firmware_override": "'/hvmloader'",
    "bios": "'ovmf'",
    "bios_path_override": "'/bios'",
    "acpi_firmware": "'/acpi'",
    "smbios_firmware": "'/smbios'",
    "smbios": "['bios_vendor=x', 'oem=a', 'oem=b']",
    "boot": "'dc'",
    "device_model_args_hvm": "['-x']",
    "acpi": "1",
    "acpi_s3": "0",
    "acpi_s4": "0",
    "acpi_laptop_slate": "1",
    "apic": "0",
    "pae": "0",
    "hpet": "0",
    "vpt_align": "0",
    "timer_mode": "2",
    "viridian": "['defaults', '!crash_ctl']",
    "mca_caps": "['lmce']",
    "ms_vm_genid": "'generate'",
    "mmio_hole": "512",
    "hvm_pirq": "1",
    "xen_platform_pci": "0",
    "vendor_device": "'xenserver'",
    "hdtype": "'ahci'",
    "vga": "'stdvga'",
    "stdvga": "1",
    "videoram": "32",
    "nographic": "1",
    "serial": "['pty', 'null']",
    "soundhw": "'hda'",
    "usb": "1",
    "usbversion": "3",
    "usbdevice": "['tablet']",
    "vkb_device": "0",
}


def guest_of(option: Option) -> str:
    """A type of guest for which it means something."""
    return "hvm" if option.name == "firmware" else option.guests[0]


def by_name(option: Option) -> str:
    return option.name


def test_the_table_is_whole() -> None:
    assert {option.name for option in HERE} == set(VALUES)
    assert len(OTHERS) == 33
    assert len(XM) == 45
    assert not set(XM) & set(OPTIONS)


@pytest.mark.parametrize("option", HERE, ids=by_name)
def test_an_option_with_effect(option: Option) -> None:
    guest = "" if option.name in ("type", "builder") else f"type = '{guest_of(option)}'\n"
    read = config(f"{guest}{option.name} = {VALUES[option.name]}")
    assert option.name in read.given
    assert not read.warnings


@pytest.mark.parametrize("option", HERE, ids=by_name)
def test_an_option_of_another_kind(option: Option) -> None:
    value, words = {
        "sl": ("[['x']]", "holds a list, expected a text in quotes or a number"),
        "sn": ("[1]", "a list, expected a text in quotes or a number"),
        "s": ("['/x']", "a list, expected a text in quotes"),
        "n": ("[1]", "a list, expected a number"),
        "b": ("[1]", "a list, expected 0 or 1"),
        "l": ("'x'", "a text, expected a list in brackets"),
        "bl": ("[['x']]", "holds a list, expected texts in quotes"),
    }[option.kind]
    text = f"\n{option.name} = {value}; type = '{guest_of(option)}'"
    if option.name == "type":
        text = f"\n{option.name} = {value}"
    if option.name in ("cpuid", "serial", "usbdevice"):
        words = "holds a list, expected texts in quotes"
    if option.name == "bootloader_args":
        words = "holds a list, expected texts or numbers"
    if option.name == "kernel":
        error = complaint(lambda: config("", f"kernel={value}"))
        assert error.message == f"command line:kernel={value}: kernel is {words}"
    else:
        verb = "" if words.startswith("holds") else "is "
        assert complaint(lambda: config(text)).message == f"foo.cfg:2: {option.name} {verb}{words}"


#: What configurations of paravirtual domains say though it changes nothing (of them those in which xl reads
#: nothing else, or what happens anyway), all of which xl takes.
TAKEN = """
    vnc=0 sdl=0 sdl=1 pae=1 pae=0 acpi=1 acpi=0 apic=1 apic=0 nx=1 hpet=1 viridian=0 viridian=1
    localtime=0 rtc_timeoffset=0 usb=0 usb=1 stdvga=0 stdvga=1 vfb=[]
    pci=[] usbdev=[] vtpm=[] cpus=[] ioports=[] irqs=[] iomem=[] channel=[] p9=[] virtio=[]
    cpus='' cpus_soft='' boot='c' boot='dc' serial='pty'
    serial=['pty','null'] usbdevice='tablet' soundhw='es1370' vnclisten='0.0.0.0' vncpasswd=''
    vncdisplay=7 vncunused=1 keymap='de' hap=1 oos=0 timer_mode=1 tsc_mode='default' tsc_mode=0
    videoram=16 shadow_memory=8 device_model_version='qemu-xen'
    xen_platform_pci=1 gfx_passthru=0
    spice=1 spiceport=6000 vga='cirrus' bios='seabios' pool='' seclabel=''
    device_model_stubdomain_override=0 driver_domain=0 bootloader='' bootloader_args=[]
    bootloader_args='--kernel=/x' vnc='0' max_event_channels=0 nestedhvm=0
    nestedhvm=1 cpuid='host' altp2m='disabled' gic_version='v2' nr_spis=0 latency=5 slice=5
    period=0 pci_permissive=1 pci_accept=[] xend_suspend_evtchn_compat=0 blkdev_start='xvda' pvshim=0
    firmware='' rdm='strategy=host' acpi_s3=1 xauthority='/root/.Xauthority' opengl=1
""".split()  # noqa: SIM905


@pytest.mark.parametrize("assignment", TAKEN)
def test_what_changes_nothing_is_taken_silently(assignment: str) -> None:
    name, _, value = assignment.partition("=")
    read = config(f"{name} = {value}")
    assert not read.warnings
    assert read == config("", name=read.name, given=read.given)


SHIM = "this xend puts no hypervisor between: type = 'pvh' boots a kernel that can do without, 'pv' any other"
OF_ARM = "it is of Arm's processors, and this xend is for those of x86"
PROTECTS = "it protects, so it is never passed over: without it the domain would be less restricted"

NO_LIST = "an empty list or no such option"

REFUSED = [
    ("dtdev = ['x']", f"dtdev = a list: {OF_ARM}; expected {NO_LIST}", None),
    ("type = 'pvh'; pci = ['01:00.0']",
     "pci = a list: Xen gives pvh domains no devices of the host; expected type = 'pv' or 'hvm'", None),
    ("pvshim = 1", f"pvshim = 1: {SHIM}; expected 0 or no such option", PROTECTS),
    ("device_model_stubdomain_override = 1",
     "device_model_stubdomain_override = 1: this xend runs device models in dom0 only, never in stub domains"
     "; expected 0 or no such option",
     PROTECTS),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "hint"), REFUSED)
def test_what_would_make_another_guest_is_refused(text: str, message: str, hint: str | None) -> None:
    error = complaint(lambda: config(f"\n\n{text}"))
    assert error.code == "unsupported"
    assert error.message == f"foo.cfg:3: {message}"
    assert error.fields.get("hint") == hint


def test_every_option_that_protects_is_refused_where_it_asks_for_anything() -> None:
    for option in OPTIONS.values():
        if option.protects and not option.is_here:
            value = "1" if option.kind == "b" else "'x'"
            for guest in ("pv", "hvm"):
                found = problems(f"type = '{guest}'\n{option.name} = {value}")
                assert [each["option"] for each in found][-1] == option.name


WRONG = [
    ("tsc_mode = 'x'", 'tsc_mode = "x": expected default, always_emulate, native or native_paravirt'),
    ("tsc_mode = 4", "tsc_mode = 4: expected a number from 0 to 3"),
    ("cpus = '1-'", 'cpus = "1-": expected CPUs as in "0-3,^2", "node:1" or "all"'),
    ("cpus = ['0', 'x']", 'cpus = "x": expected CPUs as in "0-3,^2", "node:1" or "all"'),
    ("cpus_soft = '3-1'", 'cpus_soft = "3-1": expected a range that rises, up to 16383'),
    ("cpus = '^1'", 'cpus = "^1": expected CPUs before those that ^ takes away'),
    ("cpus = '0,^all'", 'cpus = "0,^all": expected a part of all after ^'),
    ("max_grant_frames = 0", "max_grant_frames = 0: expected a number from 1 to 2147483647"),
    ("max_grant_version = 3", "max_grant_version = 3: expected a number from 1 to 2"),
    ("max_event_channels = 131073", "max_event_channels = 131073: expected a number from 0 to 131072"),
    ("irqs = ['0x5']",
     'irqs holds "0x5", expected the number of an interrupt in decimal, up to 65535'),
    ("ioports = ['3ff-3f8']",
     'ioports holds "3ff-3f8", expected a port or a range of them in hexadecimal, as in "2f8-2ff"'),
    ("iomem = ['fe000']",
     'iomem holds "fe000", expected FRAME,COUNT or FRAME,COUNT@OWN in hexadecimal, as in "fe000,8"'),
    ("iomem = ['fe000,0']",
     'iomem holds "fe000,0", expected FRAME,COUNT or FRAME,COUNT@OWN in hexadecimal, as in "fe000,8"'),
    ("irqs = [['5']]", "irqs holds a list, expected texts or numbers"),
    ("passthrough = 'x'", 'passthrough = "x": expected default, disabled, enabled, sync_pt or share_pt'),
    ("type = 'pvh'; altp2m = 'x'", 'altp2m = "x": expected disabled, mixed, external or limited'),
    ("cpu_weight = 65536", "cpu_weight = 65536: expected a number from 0 to 65535"),
    ("vcpus = 2; cap = 201", "cap = 201: expected a number of percents of one CPU from 0 to 200"),
    ("rtc_timeoffset = '-2147483649'",
     'rtc_timeoffset = "-2147483649": expected a number of seconds from -2147483647 to 2147483647'),
    ("vmtrace_buf_kb = 24", "vmtrace_buf_kb = 24: expected 0, or a power of 2 from 4 to 65536 KiB"),
    ("passthrough = 'share_pt'",
     'passthrough = "share_pt": a pv domain has no page tables to share; expected sync_pt'),
    ("type = 'pvh'; passthrough = 'enabled'",
     'passthrough = "enabled": Xen gives pvh domains no devices of the host; expected default or disabled'),
    ("type = 'pvh'; hap = 0; nestedhvm = 1",
     "nestedhvm = 1: it needs nested paging, which hap = 0 takes away"),
    ("type = 'pvh'; hap = 0; altp2m = 1", "altp2m = 1: it needs nested paging, which hap = 0 takes away"),
    ("type = 'pvh'; nestedhvm = 1; altp2m = 1",
     "altp2m = 1: it cannot be had together with nestedhvm = 1; expected one of them"),
    ("xenstore_quota = ['nodes']",
     'xenstore_quota holds "nodes", expected NAME=NUMBER as in "nodes=2000", up to 4294967294'),
    ("xenstore_quota = ['nodes=1', 'nodes=2']", 'xenstore_quota holds "nodes=2", expected each quota once'),
    ("xenstore_feature_mask = 'x'",
     'xenstore_feature_mask = "x": expected a number (decimal, octal after 0, or hexadecimal after 0x)'),
    ("vnc = 'yes'", 'vnc = "yes": expected 0 or 1'),
    ("pci = ['01:00.8']",
     'pci "01:00.8": bdf "01:00.8", expected an address as in 0000:01:00.0 or 01:00.0, hexadecimal, or 01:00.'
     "* for all functions"),
    ("pci = ['name=x,02:1.0']",
     'pci "name=x,02:1.0": found "02:1.0", expected bdf=, name=, vslot=, permissive=, msitranslate=, '
     "power_mgmt=, seize=, rdm_policy= or accept="),
    ("pci = ['2:1.0,accept=x']",
     'pci "2:1.0,accept=x": accept "x", expected one of no-iommu, no-reset or shared-page, or several with + '
     "between"),
    ("pci = ['2:1.0@20']", 'pci "2:1.0@20": vslot "20", expected a hexadecimal number up to 1f'),
    ("pci = ['2:1.0']; passthrough = 'disabled'",
     'passthrough = "disabled": expected another value, as pci gives it devices of the host'),
    ("pci_accept = ['x']", "pci_accept holds 'x', expected no-iommu, no-reset or shared-page"),
    ("cap = [50]", "cap is a list, expected a number"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_what_is_no_value_of_an_option(text: str, message: str) -> None:
    error = complaint(lambda: config(text))
    assert error.code == "bad_config"
    assert error.message == f"foo.cfg:1: {message}"


def warnings(text: str) -> list[tuple[str, str | None]]:
    return [(each.message, each.hint) for each in config(text).warnings]


def test_what_is_no_value_of_an_option_without_effect_is_a_warning() -> None:
    assert warnings("\nacpi = 'yes'") == [
        ('foo.cfg:2: acpi = "yes": expected 0 or 1; it has no effect on a pv domain', None)
    ]


@pytest.mark.parametrize("name", XM)
def test_an_option_of_xm_is_a_warning(name: str) -> None:
    assert warnings(f"{name} = 'x'") == [
        (
            f'foo.cfg:1: {name} = "x" has no effect: it was an option of xm\'s, which xl does not read',
            XM[name],
        )
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("memmory", "did you mean memory?"),
        ("onpoweroff", "did you mean on_poweroff?"),
        ("disks", "did you mean disk or ramdisk?"),
        ("vnclist", "did you mean vnclisten or vnc?"),
        ("vif_other_config", None),
        ("arch", None),
        ("zzz", None),
        ("x" * 100_000, None),
    ],
)
def test_an_option_that_there_is_not_is_a_warning(name: str, hint: str | None) -> None:
    ((message, said),) = warnings(f"{name} = 1")
    assert message.startswith(f'foo.cfg:1: "{name[:50]}')
    assert message.endswith('" has no effect: there is no such option')
    assert len(message) < 200
    assert said == hint


def test_what_another_line_replaces_is_told_who_asks() -> None:
    text = "cap = 5\ncap = 5\ncap = 0\ndisk = ['phy:/a,xvda,w']\nvif = ['']\nvif += ['']\n"
    read = config(f"{text}frob = 1\nfrob = 2\ndisk = ['phy:/b,xvda,w']")
    assert [(each.message, each.hint) for each in read.notes] == [
        ("foo.cfg:2: cap = 5 has no effect: it is assigned again in line 3", None),
        (
            "foo.cfg:4: disk has no effect: it is assigned again in line 9",
            "disk += [ ... ] adds to a list",
        ),
    ]
    assert not config("cap = 5", "cap=6").notes


def test_what_changes_nothing_is_told_who_asks() -> None:
    read = config("type = 'pv'; vnc = 0\nhap = 0; tee = 'optee'\nvnclisten = '::'; cpu_weight = 256")
    assert [note.message for note in read.notes] == [
        "foo.cfg:2: hap = 0 has no effect on a pv domain",
        'foo.cfg:2: tee = "optee" has no effect on a pv domain: it is of Arm\'s processors, and this xend is '
        "for those of x86",
        "foo.cfg:1: vnc = 0 asks for what happens anyway",
        'foo.cfg:3: vnclisten = "::" has no effect: it says how what vnc = 1 shows is shown',
    ]


def test_what_is_wrong_with_a_machine_is_told_at_once() -> None:
    wrong = {
        "vga = 'vesa'": 'vga = "vesa": expected stdvga, none, cirrus or qxl',
        "bios = 'x'": 'bios = "x": expected seabios, ovmf or rombios',
        "hdtype = 'scsi'": 'hdtype = "scsi": expected ide or ahci',
        "timer_mode = 4": "timer_mode = 4: expected a number from 0 to 3",
        "viridian = ['base', '!x']": 'viridian holds "!x": expected all, defaults,',
        "mca_caps = ['x']": 'mca_caps holds "x": expected lmce',
        "gfx_passthru = 'nvidia'": 'gfx_passthru = "nvidia": expected 0, 1, igd or default',
        "acpi = 'yes'": 'acpi = "yes": expected 0 or 1',
    }
    found = problems("type = 'hvm'\n" + "\n".join(wrong))
    for said, expected in zip(found, wrong.values(), strict=True):
        assert said["code"] == "bad_config"
        assert expected in said["message"]


def test_each_name_is_warned_of_once() -> None:
    assert len(warnings("foo = 1; foo = 'a'; foo += [2]\nbar = []\n")) == 2


def test_what_means_something_for_a_pvh_domain_only_is_judged_for_one() -> None:
    assert config("hap = 0; acpi = 0; nestedhvm = 1; shadow_memory = 'x'").hardware == Hardware()
    found = problems("type = 'pvh'; acpi = 0; shadow_memory = 'x'; boot = 'dc'")
    assert [each["option"] for each in found] == ["shadow_memory", "acpi"]
    read = config("type = 'hvm'; altp2mhvm = 1")
    assert read.hardware == Hardware(altp2m="mixed")
    assert "altp2mhvm = 1 is called altp2m by now" in read.notes[0].message
    assert config("type = 'hvm'; altp2mhvm = 1; altp2m = 'external'").hardware == Hardware(altp2m="external")
    assert config("type = 'hvm'; altp2mhvm = 0").hardware == Hardware()
    read = config("type = 'pvh'; hap = 0; oos = 0; shadow_memory = 8; altp2m_count = 3")
    assert read.hardware == Hardware(hap=False, oos=False, shadow_mib=8, altp2m_count=3)
    read = config("type = 'pvh'; hap = 1; acpi = 1; memory = 32; maxmem = 64")
    assert (read.type, read.memory_kib, read.max_memory_kib) == ("pvh", 32 << 10, 64 << 10)


def test_everything_wrong_with_a_paravirtual_domain_is_told_in_its_order() -> None:
    found = problems(
        "memory = 0; vcpus = 0\n"
        "vif = ['bridge=a', 'mtu=1', 'rate=x']\n"
        "disk = ['phy:/a,xvda,w', 'phy:/b,xvda,w',\n 'phy:/c']\n"
        "name = '-x'; cpus = 'x'\non_crash = 'explode'\n",
        "pvshim=1",
    )
    told = [f"{each['line']} {each['option']}" for each in found]
    assert sorted(told[:-1]) == (
        ["1 memory", "1 vcpus", "2 vif", "2 vif", "3 disk", "4 disk", "5 cpus", "5 name", "6 on_crash"]
    )
    assert [line.split()[0] for line in told] == ["1", "1", "2", "2", "3", "4", "5", "5", "6", "pvshim=1"]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("memory = 0; maxmem = 'x'", ["memory", "maxmem"]),
        ("vcpus = 0; maxvcpus = 0", ["vcpus", "maxvcpus"]),
        ("memory = 0; maxmem = 1", ["memory"]),
        ("cmdline = []; root = []", ["cmdline", "root"]),
        ("autostart_after = [ '-', 'a', 'a' ]", ["autostart_after"] * 2),
    ],
)
def test_what_belongs_together_is_judged_together(text: str, options: list[str]) -> None:
    assert [each["option"] for each in problems(text)] == options


def test_beside_cmdline_root_and_extra_have_no_effect() -> None:
    read = config("extra = 'c'; cmdline = 'a'; root = 'b'")
    assert read.command_line == "a"
    assert sorted(warning.option or "" for warning in read.warnings) == ["extra", "root"]


def test_so_many_problems_are_told_at_most() -> None:
    found = problems("".join(f"vif += ['mtu={number}']\n" for number in range(60)))
    assert len(found) == 50


@pytest.mark.parametrize("event", ["poweroff", "reboot", "crash", "watchdog", "soft_reset"])
def test_actions(event: str) -> None:
    for action in ACTIONS[:-1]:
        assert config(f"on_{event} = '{action}'").actions[event] == action
    error = complaint(lambda: config(f"on_{event} = 'explode'"))
    accepted = "destroy, restart, rename-restart, preserve, coredump-destroy"
    accepted += ", coredump-restart or soft-reset" if event == "soft_reset" else " or coredump-restart"
    assert error.message == f'foo.cfg:1: on_{event} = "explode": expected {accepted}'


def test_soft_reset_is_for_soft_resets_only() -> None:
    assert config("on_soft_reset = 'soft-reset'").actions["soft_reset"] == "soft-reset"
    assert complaint(lambda: config("on_crash = 'soft-reset'")).code == "bad_config"
