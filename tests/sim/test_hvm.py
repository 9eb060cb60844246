"""Domains with a whole emulated machine, which do not run without what plays it, and do not outlive it."""

from pathlib import Path

import pytest
import trio

from tests.sim.test_faults import refusal_of, settled
from tests.sim.world import World, play
from xend.errors import XendError


def example(world: World, more: str = "", sim: str = "") -> str:
    (world.directory / "root/cd.iso").write_bytes(bytes(2048))
    args = f'device_model_args = [ "-sim", "{sim}" ]' if sim else ""
    return f"""
name = "example"
type = "hvm"
memory = 64
vcpus = 1
maxvcpus = 2
vif = [ 'bridge=bridge0,mac=00:16:3e:00:00:01,model=e1000' ]
disk = [ 'file:/disk.img,hda,w!', '/cd.iso,raw,hdc,ro,devtype=cdrom' ]
{args}
{more}
"""


def words_of(world: World) -> str:
    (model,) = world.models.running()
    return " ".join(model.order.argv)


def test_its_device_model_is_told_all_of_its_machine() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        domid = await world.create(example(world))
        words, root = words_of(world), f"{world.directory}/root"
        assert "-xen-attach" not in words
        for each in (
            "-vnc 127.0.0.1:0,to=99 -display none -device cirrus-vga,vgamem_mb=8 -boot order=cda "
            "-smp 1,maxcpus=2 -device e1000,id=nic0,netdev=net0,mac=00:16:3e:00:00:01 "
            f"-netdev tap,id=net0,ifname=vif{domid}.0-emu,br=bridge0,script=no,downscript=no ",
            "-machine xenfv,suppress-vmdesc=on ",
            f" -m 56 -drive file={root}/disk.img,format=raw,if=ide,index=0,media=disk,cache=writeback "
            f"-drive if=none,readonly=on,id=ide-5632,file={root}/cd.iso,format=raw "
            "-device ide-cd,id=ide-5632,drive=ide-5632,bus=ide.1,unit=0 ",
        ):
            assert each in words, words
        assert world.models.running()[0].order.environment["XEN_DOMAIN_ID"] == str(domid)
        await world.call("domain.destroy", domain="example")
        await settled(world)
        assert await world.snapshot() == before

    play(body)


def test_its_nodes() -> None:
    async def body(world: World) -> None:
        domid = await world.create(example(world, "acpi_s3 = 0\nmmio_hole = 512\nsmbios = [ 'oem=x' ]"))
        expected = {
            "hvmloader/bios": b"seabios",
            "hvmloader/allow-memory-relocate": b"0",
            "platform/acpi": b"1",
            "platform/acpi_s3": b"0",
            "platform/acpi_s4": b"1",
            "platform/acpi_laptop_slate": b"0",
            "platform/device-model": b"qemu_xen",
            "platform/mmio_hole_size": b"536870912",
            "bios-strings/oem-1": b"x",
            "memory/videoram": b"8192",
            "memory/target": str(56 << 10).encode(),
            "memory/static-max": b"65536",
            "control/feature-s3": b"",
            "device/vkbd/0/backend-id": b"0",
            "console/vnc-port": b"5900",
        }
        for name, value in expected.items():
            assert await world.client.read(f"/local/domain/{domid}/{name}") == value, name
        vm = (await world.client.read(f"/local/domain/{domid}/vm")).decode()
        assert await world.client.read(f"{vm}/image/ostype") == b"hvm"
        assert await world.client.read(f"{vm}/rtc/timeoffset") == b""
        assert await world.client.read(f"/libxl/{domid}/type") == b"hvm"
        # The CD drive is emulated only, and the disk is both.
        assert sorted(await world.client.directory(f"/local/domain/{domid}/device/vbd")) == ["768"]

    play(body)


def test_the_script_of_an_interface_is_run_for_the_card_beside_it() -> None:
    async def body(world: World) -> None:
        world.scripts.behaviours["vif-bridge"] = "talk"
        domid = await world.create(example(world))
        assert sum(line.startswith("vif 0 of") for line in world.logged) == 2
        backend = f"/local/domain/0/backend/vif/{domid}/0"
        assert await world.client.read(f"{backend}/type") == b"vif_ioemu"
        await world.call("domain.destroy", domain="example")
        await settled(world)
        calls = [call[1:] for call in world.scripts.calls if call[0].endswith("vif-bridge")]
        assert calls == [
            ["online", "type_if=vif"], ["add", "type_if=tap"], ["offline", "type_if=vif"],
            ["remove", "type_if=tap"],
        ]  # fmt: skip

    play(body)


def test_its_serial_lines_have_names() -> None:
    async def body(world: World) -> None:
        domid = await world.create(example(world, "serial = [ 'pty', 'null', 'pty' ]"))
        assert "-serial pty -serial null -serial pty " in words_of(world)
        home = f"/local/domain/{domid}/serial"
        assert await world.client.read(f"{home}/0/tty") == b"/dev/pts/100"
        assert await world.client.read(f"{home}/2/tty") == b"/dev/pts/102"
        assert not await world.client.exists(f"{home}/1")

    play(body)


def test_where_its_screen_and_its_serial_lines_are() -> None:
    async def body(world: World) -> None:
        await world.create(example(world, "serial = [ 'pty', 'null' ]; vncpasswd = 'x'"))
        shown = await world.call("screen.show", domain="example")
        assert shown == {"address": "127.0.0.1", "port": 5900, "password": "x"}
        config = (await world.call_with("read", "domain.config", domain="example"))["config"]
        assert "vnc" not in config["b_info"]["type.hvm"]  # its password was all that was said
        assert await world.call("serial.show", domain="example") == {"tty": "/dev/pts/100"}
        for number, said in ((1, "connected with null, and no terminal"), (2, "has no serial line 2")):
            with pytest.raises(XendError, match=said):
                await world.call("serial.show", domain="example", number=number)

    play(body)


def test_a_line_that_is_no_terminal_is_told() -> None:
    async def body(world: World) -> None:
        error = await refusal_of(world, example(world, "serial = 'pty'", sim="lie"))
        assert "query-chardev: it names no terminal" in error.fields["cause"]

    play(body)


def test_an_interface_without_a_card() -> None:
    async def body(world: World) -> None:
        await world.create(example(world, "vif = [ 'bridge=bridge0,type=vif' ]"))
        assert "-net none" in words_of(world)
        calls = [call[1:] for call in world.scripts.calls if call[0].endswith("vif-bridge")]
        assert calls == [["online", "type_if=vif"]]

    play(body)


def test_it_runs_only_when_its_device_model_does() -> None:
    async def body(world: World) -> None:
        error = await refusal_of(world, example(world, sim="exit=qemu: no such machine"))
        assert "qemu: no such machine" in error.fields["cause"]
        assert error.fields["step"] in ("start its device model", "wait for its device model")

    play(body)


@pytest.mark.parametrize("action", ["destroy", "restart", "preserve"])
def test_it_does_not_outlive_its_device_model(action: str) -> None:
    async def body(world: World) -> None:
        domid = await world.create(example(world, f'on_crash = "{action}"', sim="die=30"))
        await trio.sleep(31)
        assert sum("device_model_died" in line for line in world.logged) == 1

        async def acted() -> bool:
            found = {each["domid"]: each for each in await world.call("domain.list")}
            if action == "preserve":
                return domid in found and found[domid]["state"] == "crashed"
            return domid not in found and len(found) == (2 if action == "restart" else 1)

        await world.until(acted)
        assert len(world.models.started) == (2 if action == "restart" else 1)

    play(body)


def test_each_life_has_its_own_device_model() -> None:
    async def body(world: World) -> None:
        await world.create(example(world))
        await world.call("domain.reboot", domain="example", wait=True)
        await settled(world)
        assert len(world.models.started) == 2
        assert len(world.models.running()) == 1

    play(body)


def test_a_kernel_of_dom0_is_the_device_models_to_load() -> None:
    async def body(world: World) -> None:
        await world.create(example(world, 'kernel = "/netbsd"\nextra = "-v"'))
        assert f"-kernel {world.directory}/root/netbsd -append -v " in words_of(world)

    play(body)


#: What is wrong, and what is said.
REFUSED = [
    ("vga='qxl'", "64 MiB of memory, of which the graphics card takes 128 (videoram): expected at least 132"),
    ("vga='stdvga'\nvideoram=8", "videoram = 8: the card stdvga needs 16 MiB"),
    ("disk=['/none.img,raw,hda,w']", "vbd hda: disk "),
    ("disk=['/disk.img,raw,hda,ro']", "hda is read only, and there are no such ide disks"),
    ("disk=['/disk.img,raw,hda,w','/cd.iso,raw,xvda,w']", "xvda would be emulated where hda is"),
    ("kernel='/none'", "kernel "),
    ("ramdisk='/r'", "its firmware boots the domain; expected kernel = ... with it"),
    ("bios='rombios'", "it is of the device model that Xen has no longer"),
    ("bios_path_override='/none'", "firmware "),
    ("acpi_firmware='/none'", "acpi_firmware "),
    ("firmware_override='/none'", "hvmloader "),
    ("boot='z'", "expected letters, each once"),
    ("soundhw='all'", "expected hda, ac97, adlib, cs4231a, es1370, gus or sb16"),
    ("usbdevice='host:1.2'", "expected tablet, mouse, keyboard or wacom-tablet"),
    ("usbversion=2\nusb=1", "usb and usbdevice have a controller of their own"),
    ("viridian=['crash_ctl']", "nothing of it is there without base"),
    ("mmio_hole=64", "expected a number of MiB from 256 to 3840"),
    ("vfb=['vncpasswd=secret']", "vfb = a list: an hvm domain is shown by its graphics card"),
    ("pci=['01:00.0']", "pci 0000:01:00.0: it is not assignable, dom0's driver igb has it"),
    ("usbctrl=['type=auto']", "this xend puts no devices of the host into emulated controllers"),
    ("spice=1", "spice = 1: nobody reaches it; expected spiceport or spicetls_port with a port"),
    ("spice=1; spiceport=6000", "spice = 1: expected a password, spicepasswd, or spicedisable_ticketing = 1"),
    ("spice=1; spiceport=6000; spicepasswd='x'; spicehost='a,b'", 'spicehost = "a,b": expected an address'),
    ("spice=1; spiceport=6000; spicepasswd='x'; spiceusbredirection=5", "expected a number from 0 to 4"),
    (
        "spice=1; spiceport=6000; spicepasswd='x'; spiceusbredirection=1; usb=1",
        "usb and usbdevice have a controller of their own",
    ),
    ("hap=0", "this host runs no hvm domains: shadow not among the virt_caps"),
    ("vncunused=0", "Failed to find an available port: Address already in use"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[text for text, _ in REFUSED])
def test_what_cannot_work_is_refused_and_leaves_nothing(text: str, message: str) -> None:
    async def body(world: World) -> None:
        world.models.ports.add(5900)
        error = await refusal_of(world, example(world, text))
        said = f"{error.message} {error.fields.get('cause')}"
        assert message in said
        assert "\n" not in error.message

    play(body)


@pytest.mark.skipif(
    any(Path(path).exists() for path in ("/usr/share/ovmf/OVMF.fd", "/usr/pkg/share/ovmf/OVMFX64.fd")),
    reason="this host has OVMF",
)
def test_firmware_that_is_not_there() -> None:
    async def body(world: World) -> None:
        world.models.lacks = {"ovmf"}
        error = await refusal_of(world, example(world, "bios = 'ovmf'"))
        assert "there is no OVMF (UEFI) on this host" in error.message
        assert "package ovmf" in error.fields["hint"]

    play(body)


def test_a_password_that_qemu_cannot_ask_for_is_told_before() -> None:
    async def body(world: World) -> None:
        world.models.has_no_des = True
        for text in (
            example(world, "vncpasswd = 'x'"),
            "name='example'; kernel='/netbsd'; memory=64; vfb=['vncpasswd=x']",
        ):
            error = await refusal_of(world, text)
            assert "was built without what VNC's passwords take (DES)" in error.message
        assert not world.models.started

    play(body)


def test_a_broken_image_is_told_in_qemus_words() -> None:
    async def body(world: World) -> None:
        (world.directory / "root/disk.qcow2").write_bytes(bytes(512))
        text = example(world, "disk = [ '/disk.qcow2,qcow2,hda,w' ]")
        error = await refusal_of(world, text)
        assert "Image is not in qcow2 format" in error.fields["cause"]

    play(body)


def test_config_check_looks_at_its_machine() -> None:
    async def body(world: World) -> None:
        answer = await world.call("config.check", text=example(world), name="h.cfg")
        assert answer["problems"] == []
        world.models.has_no_des = True
        wrong = example(world, "bios_path_override = '/none'")
        for text, said in (
            (wrong, "firmware "),
            (example(world, "vncpasswd = 'x'"), "vncpasswd: the device"),
        ):
            answer = await world.call("config.check", text=text, name="h.cfg")
            assert [said in each["message"] for each in answer["problems"]] == [True]

    play(body)


SPICE = "spice = 1; spiceport = 6000; spicehost = '127.0.0.1'; spicepasswd = 's3cr3t'; spicevdagent = 1"


def test_its_screen_is_shown_by_spice() -> None:
    async def body(world: World) -> None:
        await world.create(example(world, f"vnc = 0; {SPICE}; spiceusbredirection = 2"))
        words = words_of(world)
        assert (
            "-spice port=6000,tls-port=0,addr=127.0.0.1,agent-mouse=on,disable-copy-paste=on "
            "-device virtio-serial -chardev spicevmc,id=vdagent,name=vdagent "
            "-device virtserialport,chardev=vdagent,name=com.redhat.spice.0 -device cirrus-vga"
        ) in words
        assert "-device usb-redir,chardev=usbrc2,id=usbrc2" in words
        assert words.index("id=usb,addr=0x1d.0x7") < words.index("usb-redir")
        (model,) = world.models.running()
        assert model.program is not None
        assert model.program.answers.passwords == {"spice": "s3cr3t"}
        assert "s3cr3t" not in words

    play(body)


def test_a_qemu_without_spice_is_told_before_anything_is_done() -> None:
    async def body(world: World) -> None:
        world.models.has_no_spice = True
        before = await world.snapshot()
        with pytest.raises(XendError, match="was built without SPICE"):
            await world.create(example(world, SPICE))
        assert await world.snapshot() == before

    play(body)
