"""Run by Debian's Python: the life of an instance as Ganeti's own hypervisor class leads it; prints JSON.

    ganeti_life.py PACKAGES CONFIG_DIRECTORY xl|xm

The parameters are Ganeti's defaults, but for the command where that is xl.
"""

import json
import subprocess
import sys
from typing import ClassVar

PACKAGES, DIRECTORY, COMMAND = sys.argv[1:]
sys.path.insert(0, PACKAGES)

from ganeti import constants, objects  # type: ignore[import-not-found] # noqa: E402
from ganeti.hypervisor import hv_xen  # type: ignore[import-not-found] # noqa: E402


class Hypervisor(hv_xen.XenPvmHypervisor):  # type: ignore[misc]
    """With directories of its own, and less patience between two looks."""

    _ROOT_DIR = f"{DIRECTORY}/ganeti"
    _NICS_DIR = f"{_ROOT_DIR}/nic"
    _MIGRATION_DIR = f"{_ROOT_DIR}/migration"
    _DIRS: ClassVar = [_ROOT_DIR, _NICS_DIR, _MIGRATION_DIR]
    REBOOT_RETRY_INTERVAL = 0.1


def instance() -> objects.Instance:
    """One that Ganeti's defaults describe, with a disk and an interface."""
    nic = objects.NIC(
        mac="00:16:3e:12:34:56",
        ip="10.0.0.9",
        nicparams={**constants.NICC_DEFAULTS, constants.NIC_LINK: "br0"},
        uuid="4cb8b8a6-0e5b-4d1f-9ad5-8bd1ad1e0d11",
    )
    beparams = {**constants.BEC_DEFAULTS, constants.BE_MAXMEM: 128, constants.BE_MINMEM: 64}
    hvparams = {**constants.HVC_DEFAULTS[constants.HT_XEN_PVM], constants.HV_XEN_CMD: COMMAND}
    return objects.Instance(name="inst1.example.com", nics=[nic], hvparams=hvparams, beparams=beparams)


def is_running(name: str) -> bool:
    """Whether a domain is listed, and not as one that is still being made."""
    lines = subprocess.check_output([COMMAND, "list"], text=True).splitlines()
    return any(words[0] == name and "p" not in words[4] for words in map(str.split, lines))


def main() -> None:
    hypervisor, inst = Hypervisor(_cfgdir=DIRECTORY), instance()
    found = {"default_command": constants.HVC_DEFAULTS[constants.HT_XEN_PVM][constants.HV_XEN_CMD]}
    hvp = inst.hvparams
    found["verify"] = hypervisor.Verify(hvparams=hvp)
    found["none"] = hypervisor.ListInstances(hvparams=hvp)
    disks = []
    for mode, path in (("rw", "/srv/disk0"), ("ro", "/srv/disk1")):
        disks.append((objects.Disk(dev_type=constants.DT_PLAIN, mode=mode), path, None))
    inst.beparams[constants.BE_VCPUS] = 2
    hypervisor.StartInstance(inst, disks, False)
    found["started"] = hypervisor.GetInstanceInfo(inst.name, hvparams=hvp)[:5]
    found["all"] = [each[0] for each in hypervisor.GetAllInstancesInfo(hvparams=hvp)]
    found["list"] = hypervisor.ListInstances(hvparams=hvp)
    found["node"] = hypervisor.GetNodeInfo(hvparams=hvp)
    hypervisor.BalloonInstanceMemory(inst, 96)
    found["ballooned"] = hypervisor.GetInstanceInfo(inst.name, hvparams=hvp)[2]
    hypervisor.RebootInstance(inst)
    while not is_running(inst.name):
        pass  # Ganeti looks every ten seconds, and by then the next life has begun
    found["rebooted"] = hypervisor.GetInstanceInfo(inst.name, hvparams=hvp)[:2]
    hypervisor.StopInstance(inst)
    found["stopped"] = hypervisor.GetInstanceInfo(inst.name, hvparams=hvp)
    hypervisor.StartInstance(inst, disks, True)
    found["paused"] = hypervisor.GetInstanceInfo(inst.name, hvparams=hvp)[4]
    hypervisor.StopInstance(inst, force=True)
    found["forced"] = hypervisor.ListInstances(hvparams=hvp)
    print(json.dumps(found))


main()
