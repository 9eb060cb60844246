"""usbctrl and usbdev: what is read, what is refused, and into which port a device is put."""

from typing import Any

import pytest

from tests.unit.xend.config.conftest import complaint, config, problems
from xend.config.listing import as_json
from xend.config.place import Place
from xend.config.usbctrl import UsbControllerConfig, parse_usbctrl
from xend.config.usbdev import UsbDeviceConfig, parse_usbdev, spec_of

PLACE = Place("foo.cfg", 3)

CONTROLLERS: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("type=auto", {}),
    ("type=PV, version=1,ports=31", {"type": "pv", "given_version": 1, "given_ports": 31}),
    ("type=qusb,", {"type": "qusb"}),
]


@pytest.mark.parametrize(("specification", "expected"), CONTROLLERS)
def test_controllers_that_are_read(specification: str, expected: dict[str, Any]) -> None:
    read = parse_usbctrl(specification, PLACE)
    assert read == UsbControllerConfig(**expected)
    assert (read.version, read.ports) == (
        expected.get("given_version", 2), expected.get("given_ports", 8)
    )  # fmt: skip


NO_CONTROLLERS = [
    ("type=x", 'type "x", expected auto, pv, qusb or devicemodel'),
    ("type=devicemodel",
     "type=devicemodel: this xend puts no devices of the host into emulated controllers; expected auto, pv "
     "or qusb"),
    ("version=3", 'version "3", expected a number from 1 to 2'),
    ("ports=0", 'ports "0", expected a number from 1 to 31'),
    ("ports=32", 'ports "32", expected a number from 1 to 31'),
    ("backend=x", 'found "backend=", expected type=, version= or ports='),
]  # fmt: skip


@pytest.mark.parametrize(("specification", "why"), NO_CONTROLLERS)
def test_controllers_that_are_refused(specification: str, why: str) -> None:
    error = complaint(lambda: parse_usbctrl(specification, PLACE))
    assert error.message == f'foo.cfg:3: usbctrl "{specification}": {why}'


DEVICES: list[tuple[str | list[str], dict[str, Any]]] = [
    ("hostbus=1,hostaddr=2", {}),
    (["type=hostdev", "hostbus=0x1", "hostaddr=02"], {}),
    ("hostbus=1,hostaddr=2,controller=3", {"controller": 3}),
    ("hostbus=1,hostaddr=2,controller=3,port=4", {"controller": 3, "port": 4, "place": (3, 4)}),
]


@pytest.mark.parametrize(("specification", "expected"), DEVICES)
def test_devices_that_are_read(specification: str | list[str], expected: dict[str, Any]) -> None:
    read = parse_usbdev(specification, PLACE)
    assert read == UsbDeviceConfig(devid=258, hostbus=1, hostaddr=2, **expected)
    if read.place is not None:
        assert parse_usbdev(spec_of(read), PLACE) == read


NO_DEVICES = [
    ("", "it has no hostbus, expected hostbus=N,hostaddr=N as lsusb lists them"),
    ("hostbus=1", "it has no hostaddr, expected hostbus=N,hostaddr=N as lsusb lists them"),
    ("hostbus=0,hostaddr=2", 'hostbus "0", expected a number from 1 to 255'),
    ("hostbus=256,hostaddr=2", 'hostbus "256", expected a number from 1 to 255'),
    ("hostbus=1,hostaddr=128", 'hostaddr "128", expected a number from 1 to 127'),
    ("hostbus=1,hostaddr=2,port=1", 'port "1", expected controller=N with it: it is a port of that one'),
    ("hostbus=1,hostaddr=2,controller=0,port=32", 'port "32", expected a number from 1 to 31'),
    ("type=x,hostbus=1,hostaddr=2", 'type "x", expected hostdev'),
    ("hostbus=1,hostaddr=2,bus=3",
     'found "bus=", expected type=, hostbus=, hostaddr=, controller= or port='),
]  # fmt: skip


@pytest.mark.parametrize(("specification", "why"), NO_DEVICES)
def test_devices_that_are_refused(specification: str, why: str) -> None:
    error = complaint(lambda: parse_usbdev(specification, PLACE))
    assert error.message == f'foo.cfg:3: usbdev "{specification}": {why}'


def places(text: str) -> tuple[list[int | None], list[tuple[int, int]]]:
    """The numbers of the controllers, and where each device is put."""
    read = config(text)
    return [each.devid for each in read.of_kind("usbctrl")], [each.place for each in read.of_kind("usbdev")]


def usbdevs(*more: str) -> str:
    items = ", ".join(f"'hostbus=1,hostaddr={number}{each}'" for number, each in enumerate(more, 1))
    return f"usbdev = [{items}]"


PLACES = [
    (usbdevs(""), ([0], [(0, 1)])),
    (f"usbctrl = ['ports=1', 'ports=2']; {usbdevs('', '', '')}", ([0, 1], [(0, 1), (1, 1), (1, 2)])),
    (f"usbctrl = ['ports=1']; {usbdevs('', '')}", ([0, 1], [(0, 1), (1, 1)])),
    (f"usbctrl = ['', '']; {usbdevs(',controller=1', ',controller=1,port=5', '')}",
     ([0, 1], [(1, 1), (1, 5), (0, 1)])),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), PLACES)
def test_where_devices_are_put(text: str, expected: object) -> None:
    assert places(text) == expected


NO_PLACES = [
    (f"usbctrl = ['']; {usbdevs(',controller=1')}",
     "bus 1 device 1 is to have controller 1, expected 0"),
    (usbdevs(",controller=0"),
     "bus 1 device 1 is to have controller 0, expected none, or usbctrl = [ ... ] with one"),
    (f"usbctrl = ['ports=1']; {usbdevs('', ',controller=0')}",
     "controller 0 has no port left for bus 1 device 2"),
    (f"usbctrl = ['ports=2']; {usbdevs(',controller=0,port=3')}",
     "bus 1 device 1 is to have port 3, expected 1 to 2"),
    (f"usbctrl = ['']; {usbdevs('', ',controller=0,port=1')}",
     "bus 1 device 2 is to have a port that bus 1 device 1 has, expected another one than port 1"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "why"), NO_PLACES)
def test_where_no_device_can_be_put(text: str, why: str) -> None:
    assert complaint(lambda: config(text)).message == f"foo.cfg:1: usbdev: {why}"


def test_a_wrong_controller_is_told_alone() -> None:
    found = problems(f"usbctrl = ['ports=x']; {usbdevs(',controller=0')}")
    assert [each["option"] for each in found] == ["usbctrl"]


def test_as_libxl_has_them() -> None:
    text = (
        "usbctrl = ['type=pv,ports=1']; "
        "usbdev = ['type=hostdev,hostbus=1,hostaddr=2', 'hostbus=1,hostaddr=3', "
        "'hostbus=1,hostaddr=4,controller=0']"
    )
    problem = complaint(lambda: config(text))
    assert "no port left" in problem.message
    read = as_json(config(text.replace(",controller=0", "")), 1)["config"]
    assert read["usbctrls"] == [{"type": "pv", "devid": 0, "ports": 1}]
    assert read["usbdevs"] == [{"type.hostdev": {"hostbus": 1, "hostaddr": 2}}, {}, {}]
