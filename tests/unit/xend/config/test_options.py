"""Every option once: those that have effect take what they take, the others say that they have none."""

import pytest

from tests.unit.xend.config.conftest import complaint, config
from xend.config.options import ACTIONS, OPTIONS, Option

KNOWN = [option for option in OPTIONS.values() if option.known]
NOT_YET = [option for option in OPTIONS.values() if not option.known and not option.is_xm]
XM = [option for option in OPTIONS.values() if option.is_xm]

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
    "cmdline": "'-v'",
    "root": "'xbd0a'",
    "extra": "'-v'",
    "vcpus": "1",
    "maxvcpus": "2",
    "memory": "128",
    "maxmem": "256",
    "driver_domain": "1",
    "autostart_after": "['db']",
    "autostart_delay": "5",
    "disk": "['phy:/a,xvda,w']",
    "vif": "['']",
}


def by_name(option: Option) -> str:
    return option.name


def test_the_table_is_whole() -> None:
    assert {option.name for option in KNOWN} == set(VALUES)
    assert len(NOT_YET) == 143
    assert len(XM) == 45


@pytest.mark.parametrize("option", KNOWN, ids=by_name)
def test_an_option_with_effect(option: Option) -> None:
    read = config(f"{option.name} = {VALUES[option.name]}")
    assert option.name in read.given


@pytest.mark.parametrize("option", KNOWN, ids=by_name)
def test_an_option_of_another_kind(option: Option) -> None:
    value, words = {
        "s": ("['/x']", "a list, expected a text in quotes"),
        "n": ("[1]", "a list, expected a number"),
        "b": ("[1]", "a list, expected 0 or 1"),
        "l": ("'x'", "a text, expected a list in brackets"),
    }[option.kind]
    text = f"\n{option.name} = {value}"
    if option.name == "kernel":
        error = complaint(lambda: config("", f"kernel={value}"))
        assert error.message == f"command line:kernel={value}: kernel is {words}"
    else:
        assert complaint(lambda: config(text)).message == f"foo.cfg:2: {option.name} is {words}"


@pytest.mark.parametrize("option", NOT_YET, ids=by_name)
def test_an_option_without_effect_yet(option: Option) -> None:
    error = complaint(lambda: config(f"\n\n{option.name} = 0"))
    assert error.code == "unsupported"
    assert error.message == f"foo.cfg:3: this xend does not know the option {option.name} yet"


@pytest.mark.parametrize("option", XM, ids=by_name)
def test_an_option_of_xm(option: Option) -> None:
    error = complaint(lambda: config(f"{option.name} = 0"))
    assert error.code == "unsupported"
    assert error.message == f"foo.cfg:1: {option.name} was an option of xm's, which this xend does not know"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("memmory", "did you mean memory?"),
        ("onpoweroff", "did you mean on_poweroff?"),
        ("disks", "did you mean disk or ramdisk?"),
        ("vnclist", "did you mean vnclisten or vnc?"),
        ("zzz", None),
        ("x" * 100_000, None),
    ],
)
def test_an_option_that_there_is_not(name: str, hint: str | None) -> None:
    error = complaint(lambda: config(f"{name} = 1"))
    assert error.code == "bad_config"
    assert error.message.startswith(f'foo.cfg:1: there is no option "{name[:50]}')
    assert error.fields.get("hint") == hint


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
