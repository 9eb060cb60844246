"""xl vkb-*, channel-list, usb-*: what xend is asked, and the exact text of the lists."""

from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend

#: printf("%-3s %-2s %-6s %-5s %-6s %6s %-10s %-10s %-30s\n") of xl 4.17.
KEYBOARDS = f"Idx BE handle state evt-ch    ref ID         BE-type    BE-path{' ' * 23}\n"
#: printf("%-3s %-2s %-5s %-6s %8s %-10s %-30s\n").
CHANNELS = f"Idx BE state evt-ch ring-ref connection {' ' * 30}\n"
USB = "Devid  Type         BE  state usb-ver ports\n"


def device(kind: str, devid: int, path: str, front: dict[str, str], back: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": kind, "devid": devid, "name": f"{kind} {devid}", "domid": 1, "backend_domid": 0,
        "frontend_path": "/x", "backend_path": path, "frontend": front, "backend": back,
    }  # fmt: skip


def test_keyboards(xl: Xl, xend: FakeXend) -> None:
    front = {"state": "4", "event-channel": "9", "page-gref": "8"}
    xend.devices = [
        device("vkb", 0, "/local/domain/0/backend/vkbd/1/0", front, {"state": "4"}),
        device("vkb", 1, "/local/domain/0/backend/vinput/1/1", {"state": "x"}, {"unique-id": "7"}),
    ]
    rows = (
        "0   0       0     4      9      8 (null)     qemu       /local/domain/0/backend/vkbd/1/0\n"
        "1   0       1    -1     -1     -1 7          linux      /local/domain/0/backend/vinput/1/1\n"
    )
    assert xl("vkb-list", "d1") == (0, KEYBOARDS + rows, "")


def test_channels(xl: Xl, xend: FakeXend) -> None:
    path = "/local/domain/0/backend/console/1/1"
    front = {"state": "4", "port": "9", "ring-ref": "8", "tty": "/dev/pts/3"}
    xend.devices = [
        device("channel", 1, path, front, {"connection": "pty"}),
        device("channel", 2, path, {"state": "1"}, {"connection": "socket", "path": "/run/x"}),
        device("channel", 3, path, {}, {"connection": "pty"}),
    ]
    rows = (
        f"0   0  4     9      8        pty        /dev/pts/3{' ' * 20} \n"
        "1   0  1     -1     -1       socket     \n"
        f"2   0  -1    -1     -1       pty        /NO-SUCH-PATH{' ' * 17} \n"
    )
    assert xl("channel-list", "d1") == (0, CHANNELS + rows, "")


def test_usb(xl: Xl, xend: FakeXend) -> None:
    ports = [{"port": 1, "bus": 1, "address": 20}, {"port": 2, "bus": None, "address": None}]
    one = {"devid": 0, "type": "qusb", "backend_domid": 0, "state": 4, "version": 2, "ports": ports}
    xend.answers = {"usb.list": [one, {**one, "devid": 1, "type": "pv", "ports": []}]}
    assert xl("usb-list", "d1") == (
        0,
        f"{USB}0      qusb         0   4     2       2    \n  Port 1: Bus 001 Device 014\n  Port 2:\n"
        f"{USB}1      pv           0   4     2       0    \n",
        "",
    )
    xend.answers = {"usb.list": []}
    assert xl("usb-list", "d1") == (0, "", "")


STICK = ["hostbus=1", "hostaddr=2"]
CALLS: list[tuple[list[str], str, dict[str, Any]]] = [
    (["vkb-attach", "d1", "backend-type=qemu"], "device.attach",
     {"kind": "vkb", "spec": "backend-type=qemu"}),
    (["vkb-detach", "d1", "0"], "device.detach", {"kind": "vkb", "device": "0"}),
    (["usbctrl-attach", "d1"], "device.attach", {"kind": "usbctrl", "spec": ""}),
    (["usbctrl-attach", "d1", "type=pv", "ports=2"], "device.attach",
     {"kind": "usbctrl", "spec": ["type=pv", "ports=2"]}),
    (["usbctrl-detach", "-f", "d1", "0"], "device.detach", {"kind": "usbctrl", "device": "0", "force": True}),
    (["usbdev-attach", "d1", *STICK], "usb.attach", {"spec": STICK}),
    (["usbdev-attach", "d1", ",".join(STICK)], "usb.attach", {"spec": ",".join(STICK)}),
    (["usbdev-detach", "d1", "0", "3"], "usb.detach", {"controller": 0, "port": 3}),
    (["usbdev-detach", "d1", "controller=0", "port=3"], "usb.detach", {"controller": 0, "port": 3}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "method", "asked"), CALLS)
def test_what_xend_is_asked(xl: Xl, xend: FakeXend, words: list[str], method: str, asked: Any) -> None:
    assert xl(*words) == (0, "", "")
    assert xend.asked == [(method, {"domain": "d1", **asked})]


def test_a_port_that_is_none(xl: Xl) -> None:
    status, _, said = xl("usbdev-detach", "d1", "0", "x")
    assert status == 1
    assert "PORT 'x' is not a number from 0 on" in said
