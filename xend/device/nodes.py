"""Both ends of a device in the store, written and removed in one transaction each."""

from contextlib import suppress

from xenclient.store.aio import Client, Transaction
from xend.device.device import Device
from xenstore.errors import ENOENT


async def add(store: Client, device: Device) -> None:
    """Write frontend, backend and the toolstack's copy; a device that is there already is replaced.

    Nobody but the two ends may read them, and none but its own end write (toolstack.md 2).
    """

    async def body(tx: Transaction) -> None:
        front, back, own = device.frontend_path, device.backend_path, device.libxl_path
        guest = [f"n{device.domid}", f"r{device.backend_domid}"]
        host = [f"n{device.backend_domid}", f"r{device.domid}"]
        for path in (front, back, own):
            await _remove(tx, path)
        await tx.mkdir(front)
        await tx.set_perms(front, guest)
        await tx.write(f"{front}/backend", back)
        for key, value in device.frontend.items():
            await tx.write(f"{front}/{key}", value)
        for key, value in device.read_only.items():
            await tx.write(f"{front}/{key}", value)
            await tx.set_perms(f"{front}/{key}", host)
        await tx.mkdir(back)
        await tx.set_perms(back, host)
        await tx.write(f"{back}/frontend", front)
        for key, value in device.backend.items():
            await tx.write(f"{back}/{key}", value)
        await tx.write(f"{own}/frontend", front)
        await tx.write(f"{own}/backend", back)
        for key, value in device.backend.items():
            await tx.write(f"{own}/{key}", value)

    await store.run_transaction(body)


async def remove(store: Client, device: Device) -> None:
    """Remove all of it, and the parents that become empty by that."""

    async def body(tx: Transaction) -> None:
        for path, top in (
            (device.frontend_path, f"/local/domain/{device.domid}/device"),
            (device.backend_path, f"/local/domain/{device.backend_domid}/backend"),
            (device.libxl_path, f"/libxl/{device.domid}/device"),
        ):
            await _remove(tx, path)
            await _remove_empty_parents(tx, path, top)

    await store.run_transaction(body)


async def force_closing(store: Client, device: Device) -> bool:
    """Take the guest's end away and ask the backend to close for good; False: there is no backend any more.

    A guest that is paused, dead or hostile would not let go: nothing of it is waited for.
    """

    async def body(tx: Transaction) -> bool:
        await _remove(tx, device.frontend_path)
        try:
            state = await tx.read(f"{device.backend_path}/state")
        except ENOENT:
            return False
        await tx.write(f"{device.backend_path}/online", "0")
        if state != b"6":
            await tx.write(f"{device.backend_path}/state", "5")
        return True

    return await store.run_transaction(body)


async def _remove(tx: Client | Transaction, path: str) -> None:
    with suppress(ENOENT):  # not even its parent is there
        await tx.rm(path)


async def _remove_empty_parents(tx: Transaction, path: str, top: str) -> None:
    while (path := path.rpartition("/")[0]) != top:
        try:
            if await tx.directory(path):
                return
        except ENOENT:
            continue
        await tx.rm(path)
