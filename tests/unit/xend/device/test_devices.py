"""What stands at both ends of a device, and how its script is called."""

import random
import re
from pathlib import Path
from typing import Any

import pytest

from xend.config.disk import DiskConfig
from xend.config.vif import VifConfig
from xend.device.device import Device
from xend.device.paths import script_path
from xend.device.scripts import PATH, check, command
from xend.device.vbd import VBD, vbd_device
from xend.device.vif import random_mac, vif_device
from xend.device.xenbus import XenbusState
from xend.errors import XendError
from xend.settings import Settings


def settings(platform: str = "linux", **fields: Any) -> Settings:
    return Settings(
        platform=platform,
        script_directory=Path("/etc/xen/scripts"),
        dump_directory=Path("/var/log/xen/dump"),
        store_socket="/run/store",
        **fields,
    )


def vif(platform: str = "linux", **fields: Any) -> Device:
    given: dict[str, Any] = {"mac": "00:16:3e:01:02:03", "devid": 0, **fields}
    return vif_device(1, VifConfig(**given), settings(platform))


def vbd(platform: str = "linux", **fields: Any) -> Device:
    given: dict[str, Any] = {"target": "/d.img", "vdev": "xvda", "devid": 51712, "name": "xvda", **fields}
    return vbd_device(1, DiskConfig(**given), settings(platform))


VIF_KEYS = [
    ({}, {"bridge": "xenbr0", "type": "vif", "hotplug-status": "", "handle": "0"}),
    ({"bridge": "br7", "ip": "10.0.0.1"}, {"bridge": "br7", "ip": "10.0.0.1"}),
    ({"rate": (1000, 50000)}, {"rate": "1000,50000"}),
    ({"mtu": 9000}, {"mtu": "9000"}),
    ({"vifname": "web0"}, {"vifname": "web0"}),
    ({"type": "ioemu"}, {"type": "vif"}),
    ({"is_emulated": True}, {"type": "vif_ioemu"}),
    ({"script": "vif-nat"}, {"script": "/etc/xen/scripts/vif-nat"}),
]


@pytest.mark.parametrize(("fields", "expected"), VIF_KEYS)
def test_what_a_vif_s_backend_is_told(fields: dict[str, Any], expected: dict[str, str]) -> None:
    backend = vif(**fields).backend
    assert {key: backend[key] for key in expected} == expected


def test_an_ordinary_mtu_is_the_guest_s_to_read_only() -> None:
    device = vif()
    assert "mtu" not in device.backend
    assert device.read_only == {"mtu": "1500"}


VBD_KEYS = [
    ({}, {"params": "/d.img", "mode": "w", "device-type": "disk", "removable": "0", "discard-enable": "1"}),
    ({"mode": "r"}, {"mode": "r"}),
    ({"mode": "w!"}, {"mode": "w!"}),
    ({"is_cdrom": True, "target": None}, {"params": "", "device-type": "cdrom", "removable": "1"}),
    ({"discard": False}, {"discard-enable": "0"}),
    ({"direct_io_safe": True}, {"direct-io-safe": "1"}),
]


@pytest.mark.parametrize(("fields", "expected"), VBD_KEYS)
def test_what_a_vbd_s_backend_is_told(fields: dict[str, Any], expected: dict[str, str]) -> None:
    backend = vbd(**fields).backend
    assert {key: backend[key] for key in expected} == expected


def test_a_guest_s_file_is_below_the_root() -> None:
    config = DiskConfig(target="/n0/disk", vdev="0x0", devid=0, name="0x0")
    assert vbd_device(1, config, settings(root="/guests")).backend["params"] == "/guests/n0/disk"


@pytest.mark.parametrize(
    ("fields", "params"),
    [
        ({"format": "qcow2"}, "qcow2:/d"),
        ({"format": "vhd"}, "vhd:/d"),
        ({"format": "qed"}, "qed:/d"),
        ({"backendtype": "qdisk"}, "aio:/d"),
    ],
)
def test_a_disk_of_a_device_models(fields: dict[str, Any], params: str) -> None:
    device = vbd(target="/d", **fields)
    assert device.backend_path == "/local/domain/0/backend/qdisk/1/51712"
    assert device.frontend_path == "/local/domain/1/device/vbd/51712"
    assert (device.backend["params"], device.backend["type"], device.script) == (params, "qdisk", None)
    assert "script" not in device.backend
    assert VBD.is_of_model(device)
    keys = {"backend": device.backend_path, **device.backend}
    assert VBD.in_store(1, 51712, keys, settings()).backend_path == device.backend_path


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format": "qcow2", "backendtype": "phy"}, "a backend phy for qcow2 images does not run here"),
        ({"backendtype": "standalone"}, "a backend standalone for raw images"),
        ({"format": "qcow2", "script": "block-nbd"}, "no script block-nbd does anything"),
        ({"backendtype": "qdisk", "target": None, "is_cdrom": True}, "cannot serve an empty drive"),
    ],
)
def test_what_no_backend_here_serves_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(XendError, match=message):
        vbd(**fields)


def test_a_driver_domains_disk_is_below_that_domains_root() -> None:
    config = DiskConfig(target="/disk.img", vdev="xvda", devid=51712, name="xvda", backend="storage")
    here, there = (vbd_device(7, config, settings(root="/root"), backend_domid=domid) for domid in (0, 3))
    assert (here.backend["params"], there.backend["params"]) == ("/root/disk.img", "/disk.img")
    assert there.backend_path == "/local/domain/3/backend/vbd/7/51712"
    assert there.frontend["backend-id"] == "3"


CALLS = [
    ("netbsd", vif, True, "vif-bridge /local/domain/0/backend/vif/1/0 2", {}),
    ("netbsd", vif, False, "vif-bridge /local/domain/0/backend/vif/1/0 6", {}),
    ("netbsd", vbd, True, "block /local/domain/0/backend/vbd/1/51712 2", {}),
    (
        "linux", vif, True, "vif-bridge online type_if=vif",
        {"XENBUS_TYPE": "vif", "XENBUS_PATH": "backend/vif/1/0", "XENBUS_BASE_PATH": "backend",
         "vif": "vif1.0", "netdev": "", "script": "/etc/xen/scripts/vif-bridge"},
    ),
    (
        "linux", vif, False, "vif-bridge offline type_if=vif",
        {"XENBUS_TYPE": "vif", "XENBUS_PATH": "backend/vif/1/0", "XENBUS_BASE_PATH": "backend",
         "vif": "vif1.0", "netdev": "", "script": "/etc/xen/scripts/vif-bridge"},
    ),
    (
        "linux", vbd, True, "block add",
        {"XENBUS_TYPE": "vbd", "XENBUS_PATH": "backend/vbd/1/51712", "XENBUS_BASE_PATH": "backend",
         "script": "/etc/xen/scripts/block"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("platform", "make", "put_in", "words", "environment"), CALLS)
def test_how_each_system_s_scripts_are_called(
    platform: str, make: Any, put_in: bool, words: str, environment: dict[str, str]
) -> None:
    argv, given = command(make(platform), settings(platform), put_in)
    assert argv == f"/etc/xen/scripts/{words}".split()
    assert given == {"PATH": PATH, "LC_ALL": "C", "XENSTORED_PATH": "/run/store", **environment}


def test_the_interface_is_named_as_the_system_s_kernel_does() -> None:
    assert vif("linux").interface == "vif1.0"
    assert vif("netbsd").interface == "xvif1i0"
    assert vif("linux", vifname="web0").interface == "vif1.0"  # the script renames it


@pytest.mark.parametrize("name", ["../../bin/sh", "/bin/sh", "sub/dir", "/etc/xen/scripts/../x"])
def test_no_script_outside_the_directory_is_run(name: str) -> None:
    with pytest.raises(XendError, match=re.escape(f"vif 0: script {name} is not in the script directory")):
        script_path(settings(), name, "vif 0")


def test_a_script_is_looked_at_before_anything_is_done(tmp_path: Path) -> None:
    path = tmp_path / "block"
    with pytest.raises(XendError, match=r"vbd xvda: script .* does not exist"):
        check(str(path), "vbd xvda")
    path.write_text("#!/bin/sh\n")
    path.chmod(0o644)
    with pytest.raises(XendError, match="is not executable") as caught:
        check(str(path), "vbd xvda")
    assert caught.value.fields["hint"] == f"chmod 755 {path}"


@pytest.mark.parametrize(
    ("value", "state"),
    [(b"4", 4), (b"0", 0), (b"8", 8), (b"9", 0), (b"44", 0), (b"", 0), (b"-1", 0), (b"4\0", 0), (None, 0),
     (b"\xd9\xa4", 0)],
)  # fmt: skip
def test_a_state_that_is_none_is_unknown(value: bytes | None, state: int) -> None:
    assert XenbusState.parse(value) == state


def test_random_addresses_are_of_xen_s_range() -> None:
    chance = random.Random(1)
    for _ in range(1000):
        assert re.fullmatch(r"00:16:3e:[0-7][0-9a-f](:[0-9a-f]{2}){2}", random_mac(chance))
