"""libxl's JSON of a configuration."""

import json
from typing import Any

import pytest

from tests.unit.xend.config.conftest import HOWTO, config
from xend.config.domain import as_json, parse


def test_the_howtos_example() -> None:
    assert as_json(parse(HOWTO, source="foo", name="foo"), 3) == {
        "domid": 3,
        "config": {
            "c_info": {"type": "pv", "name": "foo", "run_hotplug_scripts": "True"},
            "b_info": {
                "max_vcpus": 1,
                "avail_vcpus": [0],
                "max_memkb": 262144,
                "target_memkb": 262144,
                "kernel": "/netbsd-XEN3_DOMU.gz",
                "type.pv": {},
            },
            "disks": [
                {"pdev_path": "/n0/xen/foo-wd0", "vdev": "0x0", "format": "raw", "readwrite": 1},
                {"pdev_path": "/n0/xen/netbsd-ISO.iso", "vdev": "0x1", "format": "raw"},
            ],
            "nics": [{"devid": 0, "mac": "aa:00:00:50:02:f0", "bridge": "bridge0", "nictype": "vif"}],
            "on_reboot": "restart",
            "on_soft_reset": "soft_reset",
        },
    }


def test_a_configuration_with_all_there_is() -> None:
    text = """
        uuid = '039e9ee6-4a84-3055-4c81-8ba426ae2656'
        vcpus = 2; maxvcpus = 4; memory = 64; maxmem = 128; driver_domain = 1
        ramdisk = '/md'; root = 'xbd0a'; extra = '-v'
        on_poweroff = 'preserve'; on_reboot = 'destroy'; on_crash = 'rename-restart'
        on_watchdog = 'coredump-restart'; on_soft_reset = 'coredump-destroy'
        disk = [',hdc:cdrom,r',
                '/a,qcow2,xvda,w,backend=disks,backendtype=tap,script=s,direct-io-safe,no-discard,untrusted',
                '/b,raw,xvdb,r,backend=4,discard']
        vif = ['mac=00:16:3e:00:00:01,model=e1000,type=ioemu,ip=10.0.0.1,vifname=v0,script=s,rate=1MB/s',
               'backend=net,mtu=9000,gatewaydev=eth0,vlan=3,untrusted']
    """
    whole = as_json(config(text), None)
    assert json.loads(json.dumps(whole)) == whole
    read = whole["config"]
    assert read["c_info"] == {
        "type": "pv",
        "name": "foo",
        "uuid": "039e9ee6-4a84-3055-4c81-8ba426ae2656",
        "run_hotplug_scripts": "True",
        "driver_domain": "True",
    }
    assert read["b_info"] == {
        "max_vcpus": 4,
        "avail_vcpus": [0, 1],
        "max_memkb": 131072,
        "target_memkb": 65536,
        "kernel": "/netbsd",
        "cmdline": "root=xbd0a -v",
        "ramdisk": "/md",
        "type.pv": {},
    }
    assert read["disks"] == [
        {"pdev_path": "", "vdev": "hdc", "format": "empty", "removable": 1, "is_cdrom": 1},
        {
            "backend_domname": "disks",
            "pdev_path": "/a",
            "vdev": "xvda",
            "backend": "tap",
            "format": "qcow2",
            "script": "s",
            "readwrite": 1,
            "direct_io_safe": True,
            "discard_enable": "False",
            "trusted": "False",
        },
        {"backend_domid": 4, "pdev_path": "/b", "vdev": "xvdb", "format": "raw", "discard_enable": "True"},
    ]
    assert read["nics"] == [
        {
            "devid": 0,
            "model": "e1000",
            "mac": "00:16:3e:00:00:01",
            "ip": "10.0.0.1",
            "ifname": "v0",
            "script": "s",
            "nictype": "vif_ioemu",
            "rate_bytes_per_interval": 50000,
            "rate_interval_usecs": 50000,
        },
        {
            "backend_domname": "net",
            "devid": 1,
            "mtu": 9000,
            "nictype": "vif",
            "gatewaydev": "eth0",
            "trusted": "False",
            "vlan": "3",
        },
    ]
    assert {key: value for key, value in read.items() if key.startswith("on_")} == {
        "on_poweroff": "preserve",
        "on_crash": "restart_rename",
        "on_watchdog": "coredump_restart",
        "on_soft_reset": "coredump_destroy",
    }


#: Lines of a configuration, and what Debian's xl 4.17 prints of them: c_info beside type and name, b_info
#: beside what every domain has.
AS_XL_PRINTS = [
    ("type = 'pvh'", {}, {"type.pvh": {}}),
    ("nomigrate = 1", {}, {"disable_migrate": "True"}),
    ("nomigrate = 0", {}, {"disable_migrate": "False"}),
    ("e820_host = 1", {}, {"type.pv": {"e820_host": "True"}}),
    ("type = 'pvh'; e820_host = 1", {}, {"type.pvh": {}}),
    ("tsc_mode = 2", {}, {"tsc_mode": "native"}),
    ("tsc_mode = 'default'", {}, {}),
    ("max_grant_frames = 64", {}, {"max_grant_frames": 64}),
    ("max_maptrack_frames = 0", {}, {"max_maptrack_frames": 0}),
    ("max_grant_version = 1", {}, {"max_grant_version": 1}),
    ("max_event_channels = 1023", {}, {"event_channels": 1023}),
    ("max_event_channels = 0", {}, {}),
    ("pool = 1", {"pool_name": "1"}, {}),
    ("irqs = [5, '6']", {}, {"irqs": [5, 6]}),
    ("ioports = ['3f8-3ff', 378]", {},
     {"ioports": [{"first": 1016, "number": 8}, {"first": 888, "number": 1}]}),
    ("iomem = ['fe000,8', '0xfe000,8@100']", {},
     {"iomem": [{"start": 1040384, "number": 8}, {"start": 1040384, "number": 8, "gfn": 256}]}),
    ("vcpus = 2; cpus = '0-1'", {}, {"vcpu_hard_affinity": [[0, 1], [0, 1]]}),
    ("vcpus = 2; cpus = 'all,^1'", {},
     {"vcpu_hard_affinity": [[0, 2, 3, 4, 5, 6, 7], [0, 2, 3, 4, 5, 6, 7]]}),
    ("maxvcpus = 3; cpus = ['0', '1', '2-9', '3']", {},
     {"vcpu_hard_affinity": [[0], [1], [2, 3, 4, 5, 6, 7]], "numa_placement": "False"}),
    ("vcpus = 2; cpus_soft = '900'", {}, {"vcpu_soft_affinity": [[], []], "numa_placement": "False"}),
]  # fmt: skip
COMMON = ("max_vcpus", "avail_vcpus", "max_memkb", "target_memkb", "kernel")


@pytest.mark.parametrize(("text", "create", "build"), AS_XL_PRINTS, ids=lambda each: str(each)[:40])
def test_what_xl_prints(text: str, create: dict[str, Any], build: dict[str, Any]) -> None:
    read = as_json(config(text), 1, cpus=8)["config"]
    found = {
        key: value for key, value in read["c_info"].items() if key not in ("name", "run_hotplug_scripts")
    }
    guest = "pvh" if "pvh" in text else "pv"
    assert found == {"type": guest, **create}
    assert {key: value for key, value in read["b_info"].items() if key not in COMMON} == {
        f"type.{guest}": {},
        **build,
    }
