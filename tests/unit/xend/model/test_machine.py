"""What a device model is told of a machine: libxl's words in libxl's order (guests.md 1.2)."""

from typing import Any

import pytest

from xend.errors import XendError
from xend.model.arguments import Shape, argv_of
from xend.model.firmware import FIRMWARE, file_of
from xend.model.machine import Machine
from xend.model.part import Card, Drive, Part, Screen
from xend.model.spice import Spice

SPICE = Spice(port=6000, host="127.0.0.1")


def words(*parts: Part, shape: dict[str, Any] | None = None, **machine: Any) -> str:
    made = Shape(
        domid=1,
        name="h1",
        memory_mib=240,
        parts=parts,
        control="/c",
        statistics="/s",
        machine=Machine(**machine),
        **(shape or {}),
    )
    return " ".join(argv_of("qemu", made))


def drive(bus: str, number: int, **more: Any) -> Part:
    return Part(drive=Drive(**{"bus": bus, "number": number, "devid": 768, "path": "/a,b", **more}))


#: What is wanted, and the words that are there then, in this order.
ORDERS: list[tuple[str, list[str]]] = [
    (
        words(),
        [
            "-nodefaults -no-user-config -name h1 -vnc none -display none -device cirrus-vga,vgamem_mb=8",
            "-boot order=cda -net none -machine xenfv,suppress-vmdesc=on -m 240",
        ],
    ),
    (words(nographic=True), ["-display none -nographic -device cirrus-vga"]),
    (words(Part(screen=Screen()), nographic=True), ["-display none -device cirrus-vga"]),
    (words(kernel="/k", ramdisk="/r", command_line="a b"), ["-kernel /k -initrd /r -append a b -device"]),
    (words(vga="qxl", video_mib=256), ["-device qxl-vga,vram_size_mb=128,ram_size_mb=128 -boot"]),
    (words(vga="stdvga", video_mib=16), ["-device VGA,vgamem_mb=16 -boot"]),
    (words(vga="none"), ["-display none -boot"]),
    (words(serial=["pty", "null"]), ["-display none -serial pty -serial null -device"]),
    (words(usb=True, usb_devices=["tablet"]), ["-boot order=cda -usb -usbdevice tablet -net none"]),
    (words(usb_version=1), ["-device piix3-usb-uhci,id=usb -net"]),
    (
        words(usb_version=2),
        [
            "-device ich9-usb-ehci1,id=usb,addr=0x1d.0x7,multifunction=on",
            "-device ich9-usb-uhci1,masterbus=usb.0,firstport=0,addr=0x1d.0,multifunction=on",
            "-device ich9-usb-uhci3,masterbus=usb.0,firstport=4,addr=0x1d.2,multifunction=on -net",
        ],
    ),
    (words(usb_version=3), ["-device nec-usb-xhci,id=usb -net"]),
    (words(sound="hda"), ["-device intel-hda -device hda-duplex -net"]),
    (
        words(sound="es1370", has_acpi=False),
        ["-device es1370 -net", "-machine xenfv,suppress-vmdesc=on,acpi=off -m"],
    ),
    (
        words(sound="sb16", shape={"version": (8, 2)}),
        ["-boot order=cda -audiodev none,id=sound -device sb16,audiodev=sound -net"],
    ),
    (
        words(Part(spice=SPICE), sound="hda", shape={"version": (10, 0)}),
        ["-audiodev spice,id=sound -device intel-hda -device hda-duplex,audiodev=sound -net"],
    ),
    (words(vcpus=2, max_vcpus=4), ["-smp 2,maxcpus=4 -net"]),
    (words(has_platform_pci=False), ["-machine pc,accel=xen,suppress-vmdesc=on -m"]),
    (words(hole_mib=1024), ["-machine xenfv,suppress-vmdesc=on,max-ram-below-4g=3221225472 -m"]),
    (words(has_vendor_device=True), ["-m 240 -device xen-pvdevice,device-id=0xc000"]),
    (
        words(
            Part(
                card=Card(devid=1, model="e1000", mac="m", interface="vif1.1-emu", bridge="a,b", script="/up")
            )
        ),
        [
            "-device e1000,id=nic1,netdev=net1,mac=m "
            "-netdev tap,id=net1,ifname=vif1.1-emu,br=a,,b,script=/up,downscript=no -machine",
        ],
    ),
    (
        words(drive("scsi", 2, is_read_only=True), shape={"ids": (7, 8)}),
        [
            "-device lsi53c895a",
            "-m 240 -drive file=/a,,b,format=raw,id=scsi0-hd2,if=none,readonly=on,cache=writeback "
            "-device scsi-hd,drive=scsi0-hd2,scsi-id=2 -runas 7:8",
        ],
    ),
    (
        words(drive("ahci", 1, format="vpc")),
        [
            "-m 240 -device ahci,id=ahci0 "
            "-drive file=/a,,b,format=vpc,if=none,id=ahcidisk-1,cache=writeback "
            "-device ide-hd,bus=ahci0.1,unit=0,drive=ahcidisk-1",
        ],
    ),
    (
        words(drive("ide", 3, is_cdrom=True, path=None, devid=5696)),
        [
            "-m 240 -drive if=none,readonly=on,id=ide-5696 "
            "-device ide-cd,id=ide-5696,drive=ide-5696,bus=ide.1,unit=1",
        ],
    ),
]


@pytest.mark.parametrize(("text", "found"), ORDERS)
def test_what_a_machine_has_has_its_place(text: str, found: list[str]) -> None:
    places = [text.find(each) for each in found]
    assert -1 not in places, text
    assert places == sorted(places), text
    assert "-xen-attach" not in text


@pytest.mark.parametrize("platform", ["linux", "netbsd"])
@pytest.mark.parametrize("name", FIRMWARE)
def test_firmware_that_is_nowhere_has_a_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str, platform: str
) -> None:
    monkeypatch.setattr("os.path.exists", lambda path: False)
    with pytest.raises(XendError, match="on this host: neither /usr/") as refused:
        file_of(name, "4.17", platform)
    assert "has it; or" in refused.value.fields["hint"]
    assert "{" not in str(refused.value)


def test_firmware_is_that_of_the_running_xen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.exists", lambda path: "4.17" in path)
    assert file_of("hvmloader", "4.17", "linux") == "/usr/lib/xen-4.17/boot/hvmloader"
