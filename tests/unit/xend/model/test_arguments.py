"""The command line of a device model: libxl's words in libxl's order (guests.md 1.2)."""

from typing import Any

import pytest

from xend.model.arguments import Shape, argv_of, environment_of
from xend.model.image import Image, Shown
from xend.model.part import Part, Screen

VNC = Screen(vnc_listen="127.0.0.1", vnc_display=3)


def words(**more: Any) -> str:
    shape = {
        "domid": 1,
        "name": "p1",
        "memory_mib": 192,
        "parts": [Part()],
        "control": "/var/run/xen/qmp-libxl-1",
        "statistics": "/var/run/xen/qmp-libxenstat-1",
        **more,
    }
    return " ".join(argv_of("qemu", Shape(**shape)))


def test_that_of_a_domain_with_a_screen_is_libxls() -> None:
    assert words(parts=[Part(), Part(screen=VNC), Part()]) == (
        "qemu -xen-domid 1 -no-shutdown "
        "-chardev socket,id=libxl-cmd,path=/var/run/xen/qmp-libxl-1,server=on,wait=off "
        "-mon chardev=libxl-cmd,mode=control "
        "-chardev socket,id=libxenstat-cmd,path=/var/run/xen/qmp-libxenstat-1,server=on,wait=off "
        "-mon chardev=libxenstat-cmd,mode=control "
        "-nodefaults -no-user-config -xen-attach -name p1 "
        "-vnc 127.0.0.1:3,to=99 -display none "
        "-machine xenpv -m 192"
    )


#: What is wanted, and the words that are there then, in this order.
ORDERS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["-vnc none", "-display none", "-nographic", "-machine xenpv", "-m 192"]),
    (
        {"parts": [Part(chardevs=("-chardev", "pty,id=libxl-channel1")), Part(screen=VNC)]},
        ["-mon chardev=libxenstat-cmd", "-chardev pty,id=libxl-channel1", "-nodefaults"],
    ),
    ({"name": "a,b"}, ["-name a,,b"]),
    (
        {"incoming": 7, "files": [(8, 1), (9, 1)], "more": ["-x"]},
        ["-nographic", "-incoming fd:7 -add-fd fd=8,set=1 -add-fd fd=9,set=1 -x", "-machine"],
    ),
    (
        {
            "files": [(7, 51712)],
            "images": [Shown(Image(number=51712, path="/a", is_read_only=True, label="vbd xvda"), True)],
        },
        [
            "-add-fd fd=7,set=51712",
            '-blockdev {"driver": "host_device", "node-name": "held-51712", "filename": "/dev/fdset/51712", '
            '"locking": "off", "read-only": true}',
            "-machine",
        ],
    ),
    (
        {"images": [Shown(Image(number=7, path="/a", is_read_only=False, is_direct=True, label=""), False)]},
        ['-blockdev {"driver": "file"', '"read-only": false, "cache": {"direct": true}}'],
    ),
    ({"more": ["-x"], "more_of_type": ["-y"]}, ["-nographic -x -machine xenpv -y -m 192"]),
    (
        {"root": "/r", "ids": (7, 8), "has_sandbox": True},
        ["-nographic", "-sandbox on,", "-chroot /r", "-machine xenpv", "-m 192", "-runas 7:8"],
    ),
    ({"parts": [Part(screen=VNC)], "version": (9, 1)}, ["-display none -vga xenfb -machine xenpv"]),
    ({"version": (9, 1)}, ["-display none -nographic -machine xenpv"]),
    ({"root": "/r", "ids": (7, 8), "version": (9, 0)}, ["-run-with chroot=/r", "-m 192", "-runas 7:8"]),
    (
        {"root": "/a,b", "ids": (7, 8), "version": (10, 0)},
        ["-run-with chroot=/a,,b", "-m 192", "-run-with user=7:8"],
    ),
    (
        {
            "parts": [
                Part(screen=Screen(vnc_listen="::1", vnc_display=5, keymap="de", vnc_finds_unused=False))
            ]
        },
        ["-vnc ::1:5 -display none", "-k de", "-machine"],
    ),
    ({"parts": [Part(screen=Screen(vnc_listen="[::1]", vnc_display=5))]}, ["-vnc [::1]:5,to=99"]),
    (
        {"parts": [Part(screen=Screen(vnc_password="secret"))]},
        ["-vnc 127.0.0.1:0,password=on,to=99"],
    ),
    (
        {"parts": [Part(screen=Screen(vnc=False, sdl=True)), Part(screen=VNC)]},
        ["-vnc none", "-display none", "-display sdl", "-machine"],
    ),
]


@pytest.mark.parametrize(("wanted", "found"), ORDERS)
def test_what_devices_and_options_add_has_its_place(wanted: dict[str, Any], found: list[str]) -> None:
    text = words(**wanted)
    places = [text.find(each) for each in found]
    assert -1 not in places, text
    assert places == sorted(places), text


def test_a_password_is_in_no_list_of_processes() -> None:
    screen = Screen(vnc_password="secret")
    assert "secret" not in words(parts=[Part(screen=screen)])
    assert "secret" not in repr(screen)


def test_its_environment_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    shape = Shape(
        domid=1,
        name="p1",
        memory_mib=1,
        control="/c",
        statistics="/s",
        parts=[Part(screen=Screen(vnc=False, sdl=True, display=":1", xauthority="/root/.Xauthority"))],
    )
    found = environment_of(shape, "/run/store")
    names = {"PATH", "LC_ALL", "XENSTORED_PATH", "XEN_QEMU_CONSOLE_LIMIT", "DISPLAY", "XAUTHORITY"}
    assert set(found) == names
    assert found["XEN_QEMU_CONSOLE_LIMIT"] == "1048576"
