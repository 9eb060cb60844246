"""Answers to stats.list, and the same for tests/peers/xenstat.c, which Debian's xentop is given."""

import random
import uuid
from typing import Any

Map = dict[str, Any]

HOST: Map = {
    "nr_cpus": 8, "cpu_khz": 2_400_000, "total_memory_kib": 16 << 20, "free_memory_kib": 8 << 20,
    "xen_major": 4, "xen_minor": 17, "xen_extra": ".7",
}  # fmt: skip
SHUTDOWN_CRASH = 3
UNLIMITED = 2**64 - 1
NAMES = ("Domain-0", "a", "B", "Zz", "long-name", "a-name-too-long")


def domain(domid: int, name: str, **fields: Any) -> Map:
    """A domain of stats.list, which blocks, with a vCPU and without devices."""
    return {
        "domid": domid,
        "name": name,
        "uuid": str(uuid.UUID(int=domid)),
        "running": False,
        "blocked": True,
        "paused": False,
        "shutdown": False,
        "dying": False,
        "shutdown_reason": None,
        "cpu_time_ns": 3_456_789_000,
        "memory_kib": 256 << 10,
        "max_memory_kib": 257 << 10,
        "vcpus": 1,
        "max_vcpus": 1,
        "ssid": 0,
        "vifs": [],
        "vbds": [],
        **fields,
    }


def vif(devid: int, *counters: int) -> Map:
    """rx bytes, packets, errors, dropped; tx the same.  Nothing: nobody counts it."""
    names = [f"{way}_{what}" for way in ("rx", "tx") for what in ("bytes", "packets", "errors", "dropped")]
    counted = dict(zip(names, counters, strict=True)) if counters else None
    return {"devid": devid, "backend_domid": 0, "counters": counted}


def vbd(devid: int, *counters: int | None) -> Map:
    """Out of requests, reads, writes, sectors read and written.  Nothing: nobody counts it."""
    names = ("out_of_requests", "reads", "writes", "read_sectors", "written_sectors")
    counted = dict(zip(names, counters, strict=True)) if counters else None
    return {"devid": devid, "backend_domid": 0, "counters": counted}


def answer(at_s: float, *domains: Map, epoch: int = 1) -> Map:
    """What stats.list answers then."""
    return {"at_ns": int(at_s * 1e9), "epoch": epoch, "host": HOST, "domains": list(domains)}


def frame(found: Map) -> str:
    """The same as the lines that xenstat.c reads."""
    host = found["host"]
    lines = [
        f"node {found['at_ns'] // 1000} {host['total_memory_kib'] << 10} {host['free_memory_kib'] << 10} "
        f"{host['nr_cpus']} {host['cpu_khz'] * 1000} 4.17.7"
    ]
    for each in found["domains"]:
        crashed = each["shutdown"] and each["shutdown_reason"] == SHUTDOWN_CRASH
        flags = (each["dying"], each["shutdown"] and not crashed, crashed, each["paused"], each["blocked"])
        letters = "".join("01"[bool(flag)] for flag in (*flags, each["running"]))
        limit = UNLIMITED if each["max_memory_kib"] is None else each["max_memory_kib"] << 10
        lines.append(
            f"domain {each['domid']} {each['name']} {each['cpu_time_ns']} {each['memory_kib'] << 10} {limit} "
            f"{each['ssid']} {each['max_vcpus']} {letters}"
        )
        for vcpu in each.get("vcpu_times", ()):
            lines.append(f"vcpu {int(vcpu['online'])} {vcpu['cpu_time_ns']}")
        for counters in (each["counters"] for each in each["vifs"]):
            lines.append("network " + " ".join(map(str, counters.values())))
        for disk in each["vbds"]:
            counters = disk["counters"]
            numbers = [0] * 5 if counters is None else list(counters.values())
            lines.append(f"vbd 1 {disk['devid']} {int(counters is None)} " + " ".join(map(str, numbers)))
    return "\n".join(lines) + "\n"


def chance_domain(chance: random.Random, domid: int, before: Map | None) -> Map:
    """A domain that may be anything, and has used more than before."""
    vcpus = before["max_vcpus"] if before else chance.choice((1, 2, 5, 6, 11, 16))
    times = before["vcpu_times"] if before else [{"cpu_time_ns": 0}] * vcpus
    shutdown = chance.random() < 0.3
    return domain(
        domid,
        before["name"] if before else chance.choice(NAMES) + str(domid) * chance.randrange(3),
        cpu_time_ns=(before["cpu_time_ns"] if before else 0) + chance.randrange(10**chance.randrange(1, 16)),
        memory_kib=chance.randrange(1 << chance.randrange(1, 40)),
        max_memory_kib=None if chance.random() < 0.2 else chance.randrange(1 << chance.randrange(1, 40)),
        max_vcpus=vcpus,
        ssid=chance.choice((0, 0, 7, 99999)),
        running=chance.random() < 0.5,
        blocked=chance.random() < 0.5,
        paused=chance.random() < 0.3,
        dying=chance.random() < 0.2,
        shutdown=shutdown,
        shutdown_reason=chance.randrange(6) if shutdown else None,
        vcpu_times=[
            {
                "number": number,
                "online": chance.random() < 0.8,
                "cpu_time_ns": time["cpu_time_ns"] + chance.randrange(10**13),
            }
            for number, time in enumerate(times)
        ],
        vifs=[
            vif(devid, *(chance.randrange(10 ** chance.randrange(1, 18)) for _ in range(8)))
            for devid in range(chance.randrange(4))
        ],
        vbds=[
            vbd(
                chance.choice((51712, 51728, 768, 0, 1, 1 << 28 | 16 << 8)),
                *(
                    ()
                    if chance.random() < 0.3
                    else [chance.randrange(10 ** chance.randrange(1, 18)) for _ in range(5)]
                ),
            )
            for _ in range(chance.randrange(4))
        ],
    )  # fmt: skip


def history(chance: random.Random, looks: int) -> list[Map]:
    """So many answers, one after the other; domains come and go."""
    found: list[Map] = []
    domains: dict[int, Map] = {}
    at_s = 1000.0
    for _ in range(looks):
        domids = sorted(chance.sample(range(6), chance.randrange(1, 6)))
        domains = {domid: chance_domain(chance, domid, domains.get(domid)) for domid in domids}
        found.append(answer(at_s, *domains.values()))
        at_s += chance.choice((1, 3, 0.5))
    return found
