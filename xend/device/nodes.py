"""Both ends of a device in the store, written and removed in one transaction each."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from xenclient.store.aio import Client, Transaction
from xenclient.store.operations import mkdir, read, rm, set_perms, write
from xend.device.device import Device
from xenstore.errors import ENOENT

if TYPE_CHECKING:
    from xenclient.store.core import Steps


async def add(store: Client, device: Device) -> None:
    """Write frontend, backend and the toolstack's copy; a device that is there already is replaced.

    Nobody but the two ends may read them, and none but its own end write (toolstack.md 2).
    """

    front, back, own = device.frontend_path, device.backend_path, device.libxl_path
    guest = [f"n{device.domid}", f"r{device.backend_domid}"]
    host = [f"n{device.backend_domid}", f"r{device.domid}"]

    async def body(tx: Transaction) -> None:
        await tx.together(
            *(removed(path) for path in (front, back, own)),
            mkdir(front),
            set_perms(front, guest),
            *written(front, {"backend": back, **device.frontend, **device.read_only}),
            *(set_perms(f"{front}/{key}", host) for key in device.read_only),
            mkdir(back),
            set_perms(back, host),
            *written(back, {"frontend": front, **device.backend, **device.shown}),
            *written(own, {"frontend": front, "backend": back, **device.backend}),
        )

    await store.run_transaction(body)


async def remove(store: Client, device: Device) -> None:
    """Remove all of it, and the parents that become empty by that.

    Not what other domains have a share in (backend/vif): to look into it would conflict with all of them.
    """

    async def body(tx: Transaction) -> None:
        paths = (device.frontend_path, device.backend_path, device.libxl_path)
        await tx.together(*(removed(path) for path in paths))
        for path in paths:
            await _remove_if_empty(tx, path.rpartition("/")[0])

    await store.run_transaction(body)


async def start_closing(store: Client, device: Device) -> bool:
    """Ask both ends to close for good; False: there is no backend any more."""

    async def body(tx: Transaction) -> bool:
        return await _close(tx, device)

    return await store.run_transaction(body)


async def stop_closing(store: Client, device: Device) -> None:
    """The backend may go on, or connect again, if it is there."""

    async def body(tx: Transaction) -> None:
        try:
            await tx.read(f"{device.backend_path}/online")
        except ENOENT:
            return
        await tx.write(f"{device.backend_path}/online", "1")

    await store.run_transaction(body)


async def force_closing(store: Client, device: Device) -> bool:
    """Take the guest's end away and ask the backend to close for good; False: there is no backend any more.

    A guest that is paused, dead or hostile would not let go: nothing of it is waited for.
    """

    async def body(tx: Transaction) -> bool:
        await tx.together(removed(device.frontend_path))
        return await _close(tx, device)

    return await store.run_transaction(body)


async def _close(tx: Transaction, device: Device) -> bool:
    try:
        state = await tx.read(f"{device.backend_path}/state")
    except ENOENT:
        return False
    await tx.write(f"{device.backend_path}/online", "0")
    if state != b"6":
        await tx.write(f"{device.backend_path}/state", "5")
    return True


async def _remove_if_empty(tx: Transaction, path: str) -> None:
    with suppress(ENOENT):
        if not await tx.directory(path):
            await tx.rm(path)


async def children(store: Client, path: str) -> list[str]:
    """The names of a node's children; none where there is no such node."""
    try:
        return await store.directory(path)
    except ENOENT:
        return []


async def value_of(store: Client, path: str) -> bytes | None:
    """A node's value; None: there is no such node."""
    (found,) = await store.together(value(path))
    assert found is None or isinstance(found, bytes)
    return found


async def texts(store: Client | Transaction, directory: str, keys: Sequence[str]) -> dict[str, str]:
    """The values of those nodes of a directory that are there, as text; one round trip."""
    values = await store.together(*(value(f"{directory}/{key}") for key in keys))
    found = zip(keys, values, strict=True)
    return {key: data.decode("utf-8", "replace") for key, data in found if data is not None}


def removed(path: str) -> "Steps[None]":
    """An operation: a node is not there any more, whether it was or not."""
    with suppress(ENOENT):  # not even its parent is there
        yield from rm(path)


def value(path: str) -> "Steps[bytes | None]":
    """An operation: a node's value; None: there is no such node."""
    with suppress(ENOENT):
        return (yield from read(path))
    return None


def written(directory: str, nodes: Mapping[str, str]) -> "list[Steps[None]]":
    """Operations: the nodes of a directory have these values."""
    return [write(f"{directory}/{key}", value) for key, value in nodes.items()]
