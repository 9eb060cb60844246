"""Why a device does not work: by values set where the error was raised, and by what scripts printed."""

import ast
from pathlib import Path
from typing import Any

import pytest

import xend
from xend.device.causes import likely
from xend.device.device import Device
from xend.device.reasons import REASONS, UNRUNNABLE
from xend.device.story import Story

BY_HAND = "the script failed: run it by hand with sh -x /scripts/vif-bridge"


def device(kind: str = "vif", backend_domid: int = 0) -> Device:
    return Device(
        kind=kind,
        domid=1,
        devid=0,
        backend_domid=backend_domid,
        name=f"{kind} 0",
        frontend={},
        backend={"bridge": "br7"},
        script="/scripts/vif-bridge",
    )


def failure(reason: str | None = "exit_status", **fields: Any) -> dict[str, Any]:
    more = {} if reason is None else {"reason": reason}
    return {"code": "script_failed", "message": "/scripts/vif-bridge failed: no bridge", **more, **fields}


#: The error in the device's story, and the likely cause.
SCRIPTS = [
    *((failure(reason), cause) for reason, cause in UNRUNNABLE.items()),
    (failure("timeout", waited_s=40.0), "the script waits for something: run it by hand with sh -x"),
    # Words count where a script said them, and nowhere else.
    (failure(cause="bridge br7 does not exist"),
     "the bridge does not exist: ip link add br7 type bridge && ip link set br7 up"),
    (failure(script_output="losetup: no free loop"), "no free vnd or loop device for the image"),
    (failure("signal", script_output="device is Busy"), "somebody else uses the disk"),
    (failure("not_connected", cause="/x: No such file"), "a file that the script needs does not exist"),
    (failure(script_output="denied"), "the script may not do what it has to"),
    (failure(), BY_HAND),
    (failure("signal"), BY_HAND),
    (failure("not_connected"), BY_HAND),
    (failure(None), BY_HAND),
    (failure("of a newer xend's"), BY_HAND),
    (failure("not_started", cause="Permission denied"), "the system refuses to run its script"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "cause"), SCRIPTS)
def test_a_script_that_failed(error: dict[str, Any], cause: str) -> None:
    assert likely(Story(device(), error=error), None, "linux") == cause


def test_a_script_that_failed_elsewhere() -> None:
    story = Story(device(backend_domid=3), error=failure(cause="bridge"))
    assert (likely(story, None, "linux") or "").startswith("its script failed in domain 3: see the log")


@pytest.mark.parametrize(
    ("kind", "platform", "driver"),
    [("vif", "linux", "xen-netback"), ("vif", "netbsd", "xvif"), ("vbd", "linux", "xen-blkback")],
)
def test_a_backend_that_no_driver_took_up(kind: str, platform: str, driver: str) -> None:
    error = {"code": "device_failed", "message": "", "reason": "no_driver", "waited_s": 10.0}
    cause = likely(Story(device(kind), error=error), None, platform)
    assert (cause or "").startswith(f"dom0's kernel has no driver {driver}")


def test_what_was_refused_before_anything_was_done_is_no_driver_s_fault() -> None:
    error = {"code": "bad_image", "message": "vbd 0: disk /no/such cannot be read"}
    assert likely(Story(device("vbd"), error=error), None, "linux") is None


def live(backend: dict[str, str], frontend: dict[str, str]) -> dict[str, Any]:
    return {"backend": backend, "frontend": frontend}


STATES = [
    (live({"state": "4"}, {"state": "4"}), None),
    (live({"state": "2"}, {"state": "1"}), "its hotplug script has not said that it is connected"),
    (live({"state": "2", "hotplug-status": "connected"}, {"state": "1"}),
     "the guest's kernel has no driver for a vif, or has not come so far"),
    (live({"state": "2", "hotplug-status": "connected"}, {"state": "6"}), "the guest has closed it"),
    (live({"state": "3"}, {"state": "3"}), "the backend waits for the guest, which is Initialised (3)"),
]  # fmt: skip


@pytest.mark.parametrize(("ends", "cause"), STATES)
def test_a_device_that_is_there(ends: dict[str, Any], cause: str | None) -> None:
    assert likely(Story(device()), ends, "linux") == cause


def test_a_backend_that_is_gone() -> None:
    expected = "domain 3, which served it, is gone, or has removed its backend"
    assert likely(Story(device(backend_domid=3)), live({}, {"state": "1"}), "linux") == expected
    error = {"code": "device_failed", "message": "", "reason": "backend_removed"}
    assert likely(Story(device(backend_domid=3), error=error), None, "linux") == expected


def test_every_reason_that_is_set_is_one_that_is_known() -> None:
    set_here = set()
    for path in Path(xend.__file__).parent.joinpath("device").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "reason":
                values = [each for each in ast.walk(node.value) if isinstance(each, ast.Constant)]
                set_here |= {each.value for each in values if isinstance(each.value, str)}
    assert {"timeout", "no_driver", "backend_removed", "not_started"} <= set_here <= set(REASONS)
