"""The accounts: nodes whose value is a balance and the name of the version, `1000 7.312`.

A version is named after the client and the number of the transfer that wrote it, so that every read
says whose write it saw.
"""

import time
from pathlib import Path
from typing import NamedTuple

from tests.peers.wire import ANSWER_SECONDS, Wire
from xenstore.errors import from_wire
from xenstore.wire import TYPE_NAMES, MessageType

OPENING_BALANCE = 1000
FIRST_VERSION = "opening"


class Balance(NamedTuple):
    amount: int
    version: str


def connect(socket: Path) -> Wire:
    """A connection; waits while the store's backlog is full, which is one place long in Debian's.

    Raises:
        OSError: nobody listens there, or the backlog stays full.
    """
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            return Wire(socket)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def account_path(root: str, account: int) -> bytes:
    return f"{root}/account/{account}".encode()


def request(wire: Wire, type: int, payload: bytes, tx_id: int = 0) -> bytes:
    """The payload of the reply.

    Raises:
        XenstoreError: the store has refused.
    """
    reply = wire.request(type, payload, tx_id=tx_id)
    if reply.type == MessageType.ERROR:
        raise from_wire(reply.payload, f"{TYPE_NAMES[type]} {payload[:60]!r}")
    return reply.payload


def read(wire: Wire, root: str, account: int, tx_id: int = 0) -> Balance:
    value = request(wire, MessageType.READ, account_path(root, account) + b"\0", tx_id)
    amount, version = value.decode().split()
    return Balance(int(amount), version)


def write(wire: Wire, root: str, account: int, balance: Balance, tx_id: int = 0) -> None:
    value = f"{balance.amount} {balance.version}".encode()
    request(wire, MessageType.WRITE, account_path(root, account) + b"\0" + value, tx_id)


def open_accounts(wire: Wire, root: str, accounts: int) -> None:
    for account in range(accounts):
        write(wire, root, account, Balance(OPENING_BALANCE, FIRST_VERSION))


def read_all(wire: Wire, root: str, accounts: int) -> list[Balance]:
    return [read(wire, root, account) for account in range(accounts)]
