"""USB controllers and devices: nodes as libxl writes them, drivers that have a device and get it back."""

from pathlib import Path
from typing import Any

import pytest

from tests.sim.test_faults import refusal_of, settled
from tests.sim.test_model_devices import BARE, both, connected
from tests.sim.world import World, play
from xend.errors import XendError

STICK = "hostbus=1,hostaddr=4"
KERNEL = "usbctrl = ['type=pv,ports=2']\n"


def plug_in(world: World, busid: str, bus: int, address: int, device_class: str = "00") -> None:
    """A device of the host, with one interface that the driver usb-storage has."""
    devices, interface = Path(world.usb) / "devices", f"{busid}:1.0"
    for name in ("usbback", "usb-storage"):
        (Path(world.usb) / "drivers" / name).mkdir(parents=True, exist_ok=True)
        for file in ("bind", "unbind"):
            (Path(world.usb) / "drivers" / name / file).touch()
    (devices / busid).mkdir(parents=True)
    (devices / interface).mkdir()
    for file, text in (("busnum", str(bus)), ("devnum", str(address)), ("bDeviceClass", device_class)):
        (devices / busid / file).write_text(f"{text}\n")
    (devices / interface / "driver").symlink_to(f"{world.usb}/drivers/usb-storage")


def written(world: World) -> dict[str, str]:
    """What was written to the files of drivers last, by driver and file."""
    drivers = Path(world.usb) / "drivers"
    found = {f"{path.parent.name}/{path.name}": path.read_text() for path in drivers.glob("*/*bind")}
    return {name: text for name, text in found.items() if text}


async def port(world: World, domid: int, kind: str, number: int = 1) -> str:
    path = f"/local/domain/0/backend/{kind}/{domid}/0/port/{number}"
    return (await world.client.read(path)).decode()


def test_a_device_by_the_device_model() -> None:
    async def body(world: World) -> None:
        plug_in(world, "1-2.3", 1, 4)
        (Path(world.usb) / "drivers/usbback").rename(Path(world.usb) / "drivers/other")
        before = await world.snapshot()
        domid = await world.create(f"{BARE}usbdev = ['{STICK}']\n")
        assert await port(world, domid, "qusb") == "1-2.3"
        _, back = await both(world, domid, "vusb", 0)
        ports = {"port"}
        assert {key: value for key, value in back.items() if key not in ports} == {
            "frontend-id": str(domid), "online": "1", "type": "qusb", "usb-ver": "2", "num-ports": "8",
        }  # fmt: skip
        assert written(world) == {}
        (listed,) = await world.call("usb.list", domain="bare")
        assert (listed["type"], listed["version"], len(listed["ports"])) == ("qusb", 2, 8)
        assert listed["ports"][0] == {"port": 1, "bus": 1, "address": 4}
        assert listed["ports"][1] == {"port": 2, "bus": None, "address": None}
        await world.call("domain.destroy", domain="bare")
        await settled(world)
        assert await world.snapshot() == before

    play(body)


def test_a_device_by_a_driver_of_dom0_s_kernel() -> None:
    async def body(world: World) -> None:
        plug_in(world, "1-2.3", 1, 4)
        before = await world.snapshot()
        domid = await world.create(f"{BARE}{KERNEL}usbdev = ['{STICK}']\n")
        assert await port(world, domid, "vusb") == "1-2.3"
        assert written(world) == {"usb-storage/unbind": "1-2.3:1.0", "usbback/bind": "1-2.3:1.0"}
        path = "/libxl/usbback/1-2_3/1-2_3@1_0/driver_path"
        assert (await world.client.read(path)).decode() == f"{world.usb}/drivers/usb-storage"
        driver = Path(world.usb) / "devices/1-2.3:1.0/driver"
        driver.unlink()
        driver.symlink_to(f"{world.usb}/drivers/usbback")
        await world.call("domain.destroy", domain="bare")
        await settled(world)
        assert written(world)["usbback/unbind"] == "1-2.3:1.0"
        left = set(await world.snapshot()) - set(before)
        assert not {each for each in left if "/libxl/1" in each or "driver_path" in each}

    play(body)


def test_a_path_of_the_store_is_not_written_to() -> None:
    async def body(world: World) -> None:
        plug_in(world, "1-2.3", 1, 4)
        await world.create(f"{BARE}{KERNEL}usbdev = ['{STICK}']\n")
        path = "/libxl/usbback/1-2_3/1-2_3@1_0/driver_path"
        elsewhere = world.directory / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "bind").touch()
        (Path(world.usb) / "devices/1-2.3:1.0/driver").unlink()
        for forged in (str(elsewhere), f"{world.usb}/drivers/../../elsewhere", f"{world.usb}/drivers/", ""):
            await world.client.write(path, forged)
        await world.call("domain.destroy", domain="bare")
        assert (elsewhere / "bind").read_text() == ""

    play(body)


def test_attached_and_detached() -> None:
    async def body(world: World) -> None:
        plug_in(world, "1-2", 1, 4)
        domid = await world.create(f"{BARE}{KERNEL}")
        await connected(world, domid, "vusb", 0)
        answer = await world.call("usb.attach", domain="bare", spec=STICK)
        assert (answer["controller"], answer["port"]) == (0, 1)
        assert await port(world, domid, "vusb") == "1-2"
        with pytest.raises(XendError) as caught:
            await world.call("usb.attach", domain="bare", spec=STICK)
        assert caught.value.code == "busy"
        await world.kill_xend()
        await world.start_xend()
        assert (await world.call("usb.list", domain="bare"))[0]["ports"][0]["bus"] == 1
        await world.call("usb.detach", domain="bare", controller=0, port=1)
        assert await port(world, domid, "vusb") == ""
        with pytest.raises(XendError) as caught:
            await world.call("usb.detach", domain="bare", controller=0, port=1)
        assert str(caught.value) == (
            "bare has no device in port 1 of usbctrl 0 (xl usb-list bare shows them)"
        )
        await world.call("usb.attach", domain="bare", spec=f"{STICK},controller=0,port=2")
        assert await port(world, domid, "vusb", 2) == "1-2"
        await world.call("device.detach", domain="bare", kind="usbctrl", device="0", force=True)
        assert await world.call("usb.list", domain="bare") == []
        assert not await world.client.exists(f"/local/domain/0/backend/vusb/{domid}/0")

    play(body)


def test_a_device_brings_a_controller_where_there_is_none() -> None:
    async def body(world: World) -> None:
        plug_in(world, "1-2", 1, 4)
        domid = await world.create(BARE)
        answer = await world.call("usb.attach", domain="bare", spec=STICK)
        assert (answer["controller"], answer["port"]) == (0, 1)
        assert await port(world, domid, "vusb") == "1-2"
        (listed,) = await world.call("device.list", domain="bare")
        assert listed["name"] == "usbctrl 0"

    play(body)


REFUSED: list[tuple[str, str, str]] = [
    ("usbdev = ['hostbus=1,hostaddr=9']", "no_such_device",
     "usbdev 1:9: the host has no device 9 on its USB bus 1 (lsusb lists them; one that was plugged in anew "
     "has another number)"),
    ("usbdev = ['hostbus=1,hostaddr=1']", "unsupported",
     "usbdev 1:1: it is a hub, and others are behind it; expected one of those"),
    (f"{KERNEL}usbdev = ['{STICK}']", "busy",
     "usbdev 1:4: domain other has it (xl usbdev-detach other 0 1 takes it from there)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "said"), REFUSED)
def test_devices_that_cannot_be_given(text: str, code: str, said: str) -> None:
    async def body(world: World) -> None:
        plug_in(world, "1-2", 1, 4)
        plug_in(world, "1-1", 1, 1, "09")
        await world.create(f"{BARE.replace('bare', 'other')}{KERNEL}usbdev = ['{STICK}']\n")
        error = await refusal_of(world, f"{BARE}{text}\n")
        assert (error.code, str(error)) == (code, said)

    play(body)


def test_a_host_without_usb() -> None:
    async def body(world: World) -> None:
        error = await refusal_of(world, f"{BARE}usbdev = ['{STICK}']\n")
        assert error.code == "unsupported"
        assert error.message == f"this host shows no USB devices: {world.usb}/devices is not there"

    play(body)


def test_a_controller_whose_driver_is_missing() -> None:
    async def body(world: World) -> None:
        given: dict[str, Any] = {"domain": "bare", "kind": "usbctrl", "spec": "type=pv"}
        await world.create(BARE)
        with pytest.raises(XendError) as caught:
            await world.call("device.attach", **given)
        assert caught.value.fields["reason"] == "no_driver"

    play(body, backend_faults="never-probe")
