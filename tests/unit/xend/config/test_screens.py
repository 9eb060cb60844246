"""vfb, vkb and the options of vnc: what is read, what is refused, and that no error shows a password."""

from typing import Any

import attrs
import pytest

from tests.unit.xend.config.conftest import complaint, config, problems
from xend.config.listing import as_json, without_secrets
from xend.config.place import Place
from xend.config.vfb import VfbConfig, parse_vfb
from xend.config.vfb_json import vfb_as_json, vfb_of_json
from xend.config.vkb import VkbConfig, parse_vkb
from xend.errors import XendError

PLACE = Place("foo.cfg", 3)
ALL = (
    "vnc=1,vnclisten=1.2.3.4,vncdisplay=3,vncpasswd=a b ,vncunused=0,sdl=1,display=:0,xauthority=/x,"
    "keymap=de-ch,opengl=1"
)

SCREENS: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("vnc=0", {"vnc": False}),
    ("vnc=2", {"vnc": True}),
    (" vnc = 1 , vncdisplay = 0x10 ,", {"vnc": True, "vncdisplay": 16}),
    ("vnclisten=", {}),
    ("vnclisten=[::1]", {"vnclisten": "[::1]"}),
    ("vnclisten=[::1]:7", {"vnclisten": "[::1]", "vncdisplay": 7, "is_display_of_listen": True}),
    ("vnclisten=a.example:7", {"vnclisten": "a.example", "vncdisplay": 7, "is_display_of_listen": True}),
    ("vncdisplay=99", {"vncdisplay": 99}),
    ("vncunused=0,vncdisplay=59635", {"vncunused": False, "vncdisplay": 59635}),
    ("vnc=0,vncdisplay=100", {"vnc": False, "vncdisplay": 100}),
    ("vncpasswd=a=b", {"vncpasswd": "a=b"}),
    (ALL, {"vnc": True, "vnclisten": "1.2.3.4", "vncdisplay": 3, "vncpasswd": "a b ", "vncunused": False,
           "sdl": True, "display": ":0", "xauthority": "/x", "keymap": "de-ch", "opengl": True}),
]  # fmt: skip


@pytest.mark.parametrize(("specification", "expected"), SCREENS)
def test_screens_that_are_read(specification: str, expected: dict[str, Any]) -> None:
    assert parse_vfb(specification, PLACE) == VfbConfig(**expected)


ADDRESS = "an address, perhaps with : and a display, as in 127.0.0.1:3"
KEYS = "expected vnc=, vnclisten=, vncdisplay=, vncunused=, vncpasswd=, keymap=, sdl=, opengl=, display= or "
NO_SCREENS = [
    ("vncdisplay=100", 'vncdisplay "100", expected a display from 0 to 99'),
    ("vnclisten=a:100", 'vnclisten "a:100", expected a display from 0 to 99'),
    ("vncunused=0,vncdisplay=59636", 'vncdisplay "59636", expected a number from 0 to 59635'),
    ("vncdisplay=-1", 'vncdisplay "-1", expected a number from 0 to 59635'),
    ("vnclisten=0.0.0.0:5,vncdisplay=3",
     'vnclisten "0.0.0.0:5", expected no display here, as vncdisplay is given'),
    ("vnclisten=::1", f'vnclisten "::1", expected {ADDRESS}'),
    ("vnclisten=a b", f'vnclisten "a b", expected {ADDRESS}'),
    ("vnclisten=unix:/tmp/x", f'vnclisten "unix:/tmp/x", expected {ADDRESS}'),
    ("keymap=../x", 'keymap "../x", expected the name of a keymap, as in en-us or de'),
    ("xauthority=x", 'xauthority "x", expected an absolute path'),
    ("vnc=yes", 'vnc "yes", expected 0 or 1'),
    ("vnc=1,vnc=0", 'vnc is given twice, "1" and "0", expected once'),
    ("vncdisply=1", f'found "vncdisply=", {KEYS}xauthority='),
]  # fmt: skip


@pytest.mark.parametrize(("specification", "why"), NO_SCREENS)
def test_screens_that_are_refused(specification: str, why: str) -> None:
    error = complaint(lambda: parse_vfb(specification, PLACE))
    assert error.message == f'foo.cfg:3: vfb "{specification}": {why}'


def test_hints() -> None:
    assert complaint(lambda: parse_vfb("vnclisten=::1", PLACE)).fields["hint"] == (
        "an IPv6 address stands in brackets: [::1]"
    )
    (warning,) = config("vfb = ['vncdisply=1']").warnings
    assert (warning.message, warning.hint) == (
        'foo.cfg:1: vfb "vncdisply=1": "vncdisply=" has no effect: there is no such key',
        "did you mean vncdisplay= or display=?",
    )
    (warning,) = config("vfb = ['type=vnc,vncunused=1']").warnings
    assert warning.hint == "it was a key of xm's: vnc=1, as it is without, or sdl=1 says the same"


def test_all_that_is_wrong_with_a_screen_is_told() -> None:
    found = problems("vfb = ['vncdisplay=x,keymap=/,xauthority=y', 'vnc=x']\nvkb = ['width=x']")
    assert [(each["line"], each["option"]) for each in found] == [
        (1, "vfb"), (1, "vfb"), (1, "vfb"), (1, "vfb"), (2, "vkb"),
    ]  # fmt: skip
    found = problems("vnc = 1\nvncdisplay = 70000\nvnclisten = '0.0.0.0,password=on'\nkeymap = '../x'")
    assert [each["line"] for each in found] == [2, 3, 4]


def test_the_screen_of_vnc_is_a_pv_domain_s() -> None:
    text = "vnc = 1; vnclisten = '0.0.0.0'; vncdisplay = 4; vncpasswd = 'x'; vncunused = 0; keymap = 'de'"
    read = config(f"{text}; sdl = 1; opengl = 0")
    assert list(read.of_kind("vfb")) == [
        VfbConfig(devid=0, vnc=True, vnclisten="0.0.0.0", vncdisplay=4, vncpasswd="x", vncunused=False,
                  keymap="de", sdl=True, opengl=False)
    ]  # fmt: skip
    assert list(read.of_kind("vkb")) == [VkbConfig(devid=0)]
    assert not config(f"{text}; type = 'pvh'").devices
    assert not config("sdl = 1; vncdisplay = 4").devices
    assert config(f"{text}; vfb = ['vnc=0']").of_kind("vfb") == (VfbConfig(devid=0, vnc=False),)


def test_a_graphics_card_is_the_only_screen_of_an_hvm_domain() -> None:
    """Files of xm's time have both, of which libxl takes the card."""
    read = config("type = 'hvm'; vnc = 1; vncdisplay = 4; vfb = ['vnc=1,vncdisplay=5', 'sdl=1']")
    assert not read.of_kind("vfb")
    assert read.machine is not None
    assert read.machine.devices.screen.vncdisplay == 4
    (warning,) = read.warnings
    assert (warning.option, "shown by its graphics card" in warning.message) == ("vfb", True)


def test_a_password_of_an_hvm_domain_s_vfb_is_not_passed_over() -> None:
    text = f"type = 'hvm'; vfb = ['vncpasswd={SECRET}']"
    error = complaint(lambda: config(text))
    assert (error.code, SECRET in repr(error.as_map())) == ("unsupported", False)
    assert error.message.startswith("foo.cfg:1: vfb = a list: an hvm domain is shown by its graphics")
    assert len(config(f"{text}; vncpasswd = '{SECRET}'").warnings) == 1


@pytest.mark.parametrize("item", ["vnclisten=[::1],vncdisplay=3", "vnclisten=[::1]:3", "vnclisten=h:3,sdl=1"])
def test_a_screen_comes_back_from_libxl_s_json(item: str) -> None:
    screen = parse_vfb(item, PLACE)
    assert parse_vfb(vfb_of_json(vfb_as_json(screen)), PLACE) == screen


SECRET = "s3cr3t"
WITH_SECRET = [
    f"vfb = ['vncpasswd={SECRET},vnc=x']",
    f"vfb = ['vncpasswd={SECRET},frob=1']",
    f"vfb = ['vncpaswd={SECRET}']",
    f"vfb = ['vncpasswd={SECRET},vncpasswd={SECRET}2']",
    f"vfb = [\"vncpasswd={SECRET}\\n\"]",
    f"vfb = 'vncpasswd={SECRET}'",
    f"vncpasswd = ['{SECRET}']",
    f"vncpasswd = '{SECRET}'; vncpasswd = '{SECRET}2'",
    f"vncpasswd = \"{SECRET}\\n\"; vnc = 1",
    f"vncpasswd = '{SECRET}'; vfb = ['']",
    f"vncpasswd = '{SECRET}'; type = 'pvh'",
    f"vncpassword = '{SECRET}'",
    f"vncpasword = '{SECRET}'",
    f"spicepasswd = '{SECRET}'",
]  # fmt: skip


@pytest.mark.parametrize("text", WITH_SECRET)
def test_no_error_shows_a_password(text: str) -> None:
    error = complaint(lambda: config(f"{text}\nmemory = 0"))
    assert SECRET not in repr([error, error.as_map()])
    try:
        read = config(text)
    except XendError:
        return
    assert SECRET not in repr([*read.notes, *read.warnings])


def test_who_may_only_read_sees_no_password() -> None:
    read = config(f"vfb = ['vncpasswd={SECRET},vncdisplay=3']")
    assert SECRET in repr(as_json(read, 1))
    public = as_json(without_secrets(read), 1)
    assert public["config"]["vfbs"] == [{"devid": 0, "vnc": {"display": 3}, "sdl": {}}]
    assert SECRET not in repr(read.of_kind("vfb"))


TOUCH = "multi-touch-width=1,multi-touch-height=2,multi-touch-num-contacts=3"
KEYBOARDS: list[tuple[str | list[str], dict[str, Any]]] = [
    ("backend-type=qemu", {"backend_type": "qemu"}),
    ("backend-type=LINUX,backend=in", {"backend_type": "linux", "backend": "in"}),
    (["backend-type=qemu", "unique-id=7"], {"backend_type": "qemu", "unique_id": "7"}),
    ("backend-type=qemu,feature-abs-pointer=1,feature-raw-pointer=0",
     {"backend_type": "qemu", "switches": ("feature-abs-pointer",)}),
    (f"backend-type=qemu,{TOUCH}", {"backend_type": "qemu", "touch": (1, 2, 3)}),
    ("backend-type=qemu,feature-multi-touch=0", {"backend_type": "qemu"}),
    ("backend-type=qemu,width=640,height=480", {"backend_type": "qemu", "width": 640, "height": 480}),
]  # fmt: skip


@pytest.mark.parametrize(("specification", "expected"), KEYBOARDS)
def test_keyboards_that_are_read(specification: str | list[str], expected: dict[str, Any]) -> None:
    assert parse_vkb(specification, PLACE) == VkbConfig(**expected)


NO_KEYBOARDS = [
    ("", "it has no backend-type, expected backend-type=qemu or backend-type=linux"),
    ("backend-type=x", 'backend-type "x", expected qemu or linux'),
    ("backend-type=qemu,width=x", 'width "x", expected a number from 0 to 4294967295'),
    ("backend-type=qemu,feature-abs-pointer=x", 'feature-abs-pointer "x", expected 0 or 1'),
    ("backend-type=qemu,feature-multi-touch=1",
     'feature-multi-touch "1", expected multi-touch-width, multi-touch-height, multi-touch-num-contacts '
     "with it"),
    ("backend-type=qemu,backend=a/b", 'backend "a/b", expected a domain\'s name or domid'),
]  # fmt: skip


@pytest.mark.parametrize(("specification", "why"), NO_KEYBOARDS)
def test_keyboards_that_are_refused(specification: str, why: str) -> None:
    error = complaint(lambda: parse_vkb(specification, PLACE))
    assert error.message == f'foo.cfg:3: vkb "{specification}": {why}'


def test_each_screen_brings_a_keyboard() -> None:
    read = config("vfb = ['vnc=1', 'vnc=0']; vkb = ['backend-type=linux']; type = 'pvh'")
    assert list(read.of_kind("vkb")) == [
        VkbConfig(devid=0), VkbConfig(devid=1), VkbConfig(devid=2, backend_type="linux"),
    ]  # fmt: skip
    assert as_json(read, 1)["config"]["vkbs"] == [
        {"devid": 0}, {"devid": 1}, {"devid": 2, "backend_type": "linux"},
    ]  # fmt: skip
    assert attrs.asdict(read.of_kind("vkb")[0])["backend_type"] is None
