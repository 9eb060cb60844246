"""What stands in the store of a domain, beside its devices (toolstack.md 1.1).

Permissions: the guest reads what is the toolstack's and owns what is its own.  Everything that shall not be
the guest's to read later is never below a node that is.
"""

from collections.abc import Mapping
from contextlib import suppress

from xenclient.store.aio import Client, Transaction
from xenclient.store.operations import mkdir, set_perms
from xend.config import DomainConfig
from xend.device.nodes import removed, written
from xend.domain.machine_nodes import machine_nodes
from xend.hypervisor import SLACK_KIB, Rings
from xend.identity import uuid_of
from xenstore.errors import ENOENT

#: Nodes that the guest owns, below its home.
GUESTS_OWN = ("data", "drivers", "feature", "attr", "error")
CONTROL = ("shutdown", "feature-poweroff", "feature-reboot", "feature-suspend", "sysrq")
#: Of a whole machine, whose guest may be sent to sleep.
SLEEP = ("feature-s3", "feature-s4")
CONSOLE_LIMIT_BYTES = 1 << 20


def home(domid: int) -> str:
    """/local/domain/N."""
    return f"/local/domain/{domid}"


async def write_first(store: Client, domid: int, config: DomainConfig) -> None:
    """The domain's skeleton, before it has memory."""
    top, vm, own = home(domid), f"/vm/{config.uuid}", f"/libxl/{domid}"
    read_only, guests, hidden = ["n0", f"r{domid}"], [f"n{domid}"], ["n0"]

    tops = [(top, read_only), (vm, read_only), (own, hidden), (f"{own}/device", hidden)]
    own_nodes = [
        "device" if config.has_old_suspend else "device/suspend/event-channel",
        *(f"control/{name}" for name in (*CONTROL, *(SLEEP if config.machine is not None else ()))),
        *GUESTS_OWN,
        *(("libxl", "device-model") if config.driver_domain else ()),
    ]
    machine = machine_nodes(config, str(config.uuid))
    features = ("platform-feature-multiprocessor-suspend", "platform-feature-xs_reset_watches")

    async def body(tx: Transaction) -> None:
        await tx.together(
            removed(top),
            *(step for path, perms in tops for step in (mkdir(path), set_perms(path, perms))),
            *written(top, {"vm": vm, "name": config.name}),
            *(mkdir(f"{top}/{name}") for name in ("cpu", "memory", "device", "control")),
            *(
                step
                for name in own_nodes
                for step in (mkdir(f"{top}/{name}"), set_perms(f"{top}/{name}", guests))
            ),
            *written(vm, {"uuid": uuid_of(config.uuid or ""), "name": config.name}),
            *written(top, machine),
            *written(f"{top}/control", dict.fromkeys(features, "1")),
            *written(own, {"type": config.type, "dm-version": "qemu_xen"}),
        )

    await store.run_transaction(body)


async def write_built(
    store: Client, domid: int, config: DomainConfig, rings: Rings, start_time: float
) -> None:
    """What is known once the image was loaded; of what a PVH domain was loaded from nothing is written."""
    top, vm = home(domid), f"/vm/{config.uuid}"
    guests = {
        "memory/static-max": str(config.max_memory_kib),
        "memory/target": str(config.memory_kib - fudge_kib(config)),
        "memory/videoram": str(video_kib(config)),
        **{
            f"hvmloader/{name}/{key}": f"{number:#x}"
            for name, place in rings.tables.items()
            for key, number in zip(("address", "length"), place, strict=True)
        },
        "domid": str(domid),
        "store/port": str(rings.store_port),
        "store/ring-ref": str(rings.store_gfn),
    }
    for vcpu in range(config.max_vcpus):
        guests[f"cpu/{vcpu}/availability"] = "online" if vcpu < config.vcpus else "offline"
    vms = {"start_time": f"{start_time:.2f}"}
    if config.machine is not None:
        vms |= {"image/ostype": "hvm", "rtc/timeoffset": str(config.clock.offset_s or "")}
    if config.type == "pv":
        vms = {
            "image/ostype": "linux",
            "image/kernel": config.kernel or "",
            **({"image/ramdisk": config.ramdisk} if config.ramdisk else {}),
            "image/cmdline": config.command_line,
            **vms,
        }

    async def body(tx: Transaction) -> None:
        await tx.together(*written(top, guests), *written(vm, vms))

    await store.run_transaction(body)


async def write_console(store: Client, domid: int, rings: Rings) -> None:
    """The console's ends; what it is made of is the guest's to read only (XSA-57)."""
    front, back = f"{home(domid)}/console", f"{home(0)}/backend/console/{domid}/0"
    own = f"/libxl/{domid}/device/console/0"
    read_only = ["n0", f"r{domid}"]
    ends = {"frontend": front, "frontend-id": str(domid), "online": "1", "state": "1", "protocol": "vt100"}

    console = {
        "backend": back,
        "backend-id": "0",
        "limit": str(CONSOLE_LIMIT_BYTES),
        "type": "xenconsoled",
        "output": "pty",
        "tty": "",
        "port": str(rings.console_port),
        "ring-ref": str(rings.console_gfn),
    }

    async def body(tx: Transaction) -> None:
        await tx.together(
            *(removed(path) for path in (front, back, own)),
            mkdir(front),
            set_perms(front, read_only),
            *written(front, console),
            mkdir(back),
            set_perms(back, read_only),
            *written(back, ends),
            *written(own, {"frontend": front, "backend": back, **ends}),
        )

    await store.run_transaction(body)


async def write_loader_console(store: Client, domid: int) -> None:
    """The node in which a boot loader's pty is named, before the domain has a console of its own."""
    front = f"{home(domid)}/console"

    async def body(tx: Transaction) -> None:
        await tx.together(mkdir(front), set_perms(front, ["n0", f"r{domid}"]), *written(front, {"tty": ""}))

    await store.run_transaction(body)


async def remove_console(store: Client, domid: int) -> None:
    """The console's backend; the rest goes with the domain's own nodes."""
    await _remove(store, f"{home(0)}/backend/console/{domid}", f"{home(domid)}/console")


async def remove_all(store: Client, domid: int, uuid: str) -> None:
    """Everything of a domain, backends in dom0 that are left included.

    What is called after its UUID stays where another toolstack has put a living domain's there.
    """
    vm = f"/vm/{uuid}"

    async def body(tx: Transaction) -> None:
        paths = [home(domid), f"/libxl/{domid}", *([vm] if await _is_own(tx, vm, domid) else [])]
        backend = f"{home(0)}/backend"
        with suppress(ENOENT):
            paths += [f"{backend}/{kind}/{domid}" for kind in await tx.directory(backend)]
        await tx.together(*map(removed, paths))

    await store.run_transaction(body)


async def remove_vm(store: Client, domid: int, uuid: str) -> None:
    """What is called after its UUID, if it is still the domain's."""
    vm = f"/vm/{uuid}"

    async def body(tx: Transaction) -> None:
        if await _is_own(tx, vm, domid):
            await tx.together(removed(vm))

    await store.run_transaction(body)


async def rename(store: Client, domid: int, uuid: str, name: str) -> None:
    """Both places where a domain's name stands."""
    vm = f"/vm/{uuid}"

    async def body(tx: Transaction) -> None:
        await tx.write(f"{home(domid)}/name", name)
        if await _is_own(tx, vm, domid):
            await tx.write(f"{vm}/name", name)

    await store.run_transaction(body)


async def _is_own(tx: Transaction, vm: str, domid: int) -> bool:
    """Whether what is called after a UUID is this domain's: it, and no other domain, may read it."""
    try:
        perms = await tx.get_perms(vm)
    except ENOENT:
        return False
    return all(perm.domid == domid for perm in perms[1:])


def fudge_kib(config: DomainConfig) -> int:
    """What the guest's balloon driver is told less than the domain begins with, as libxl has it: what its
    graphics card takes, and a bit where the rest is populated on demand."""
    if config.machine is None:
        return 0
    return video_kib(config) + (SLACK_KIB if config.max_memory_kib > config.memory_kib else 0)


def video_kib(config: DomainConfig) -> int:
    """What of a domain's memory its graphics card has."""
    return 0 if config.machine is None else 1024 * config.machine.video_mib


async def set_memory_target(store: Client, domid: int, target_kib: int) -> None:
    """What the guest's balloon driver follows."""
    await store.write(f"{home(domid)}/memory/target", str(target_kib))


async def write_or_remove(store: Client, directory: str, words: Mapping[str, str]) -> None:
    """Write nodes below a directory, in one transaction; one whose word is empty is removed."""

    async def body(tx: Transaction) -> None:
        await tx.together(
            *written(directory, {key: word for key, word in words.items() if word}),
            *(removed(f"{directory}/{key}") for key, word in words.items() if not word),
        )

    await store.run_transaction(body)


async def _remove(store: Client, *paths: str) -> None:
    for path in paths:
        with suppress(ENOENT):
            await store.rm(path)
