"""A console's nodes in the store, /local/domain/N/console: toolstacks write them, guests read (XSA-57).

Source: toolstack.md 5.
"""

import attrs

from xenclient.store.aio import Client, Transaction
from xenclient.store.errors import ClientError
from xend.errors import XendError
from xenstore.errors import ENOENT, XenstoreError

__all__ = ["LIMIT_BYTES", "ConsoleNodes", "Nodes", "home"]

LIMIT_BYTES = 1 << 20  # where ~/console/limit says nothing useful
_LIMIT_MAX_BYTES = 16 << 20
_LIMIT_MIN_BYTES = 4096
_KEYS = ("type", "ring-ref", "port")
_SERVED_HERE = (b"", b"xenconsoled")


def home(domid: int) -> str:
    """The path of a domain's console."""
    return f"/local/domain/{domid}/console"


@attrs.frozen
class ConsoleNodes:
    """What a toolstack says of a console that is ours to serve."""

    name: str
    gfn: int
    port: int


class Nodes:
    """Reads and writes them, never making what is not there: a domain's nodes must not come back after it."""

    def __init__(self, store: Client) -> None:
        self._store = store

    async def publish(self, domid: int, tty: str) -> int:
        """Write the name of a console's pty; returns how many bytes may wait for the pty's reader (`limit`).

        Raises:
            XendError: store_failed.
        """

        async def body(transaction: Transaction) -> int:
            await transaction.read(home(domid))
            await transaction.write(f"{home(domid)}/tty", tty)
            return _limit(await _value(transaction, f"{home(domid)}/limit"))

        try:
            return await self._store.run_transaction(body)
        except (ClientError, XenstoreError) as error:
            what = f"cannot write the name of domain {domid}'s pty to {home(domid)}/tty"
            raise XendError("store_failed", what, cause=str(error)) from error

    async def withdraw(self, domid: int, tty: str) -> None:
        """Empty the name of a console's pty, if it is still this one; raises what the store does."""

        async def body(transaction: Transaction) -> None:
            if await _value(transaction, f"{home(domid)}/tty") == tty.encode():
                await transaction.write(f"{home(domid)}/tty", "")

        await self._store.run_transaction(body)

    async def read(self, domid: int) -> ConsoleNodes | None:
        """What a toolstack wrote, as of one moment; None: nothing, not all yet, or another program serves it.

        Raises what the store does.
        """

        async def body(transaction: Transaction) -> ConsoleNodes | None:
            kind, gfn, port = [await _value(transaction, f"{home(domid)}/{key}") for key in _KEYS]
            name = await _value(transaction, f"/local/domain/{domid}/name")
            if kind not in _SERVED_HERE or not (_is_number(gfn) and _is_number(port)):
                return None
            return ConsoleNodes(name.decode("utf-8", "surrogateescape"), int(gfn), int(port))

        return await self._store.run_transaction(body)


async def _value(transaction: Transaction, path: str) -> bytes:
    """A node's value; empty where there is none."""
    try:
        return await transaction.read(path)
    except ENOENT:
        return b""


def _is_number(value: bytes) -> bool:
    return value.isdigit() and len(value) < 20


def _limit(value: bytes) -> int:
    if not _is_number(value) or int(value) == 0:
        return LIMIT_BYTES
    return min(max(int(value), _LIMIT_MIN_BYTES), _LIMIT_MAX_BYTES)
