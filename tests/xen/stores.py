"""The stores that are put under the host."""

import sys
from pathlib import Path
from typing import NamedTuple

from tests.xen.dom0 import Dom0, script
from tests.xen.userland import XEN_BIN

#: The start of the store to a host that can create guests.
LIMIT_S = 60


class Store(NamedTuple):
    """A xenstored.

    Attributes:
        name: in the test's name.
        command: starts it in dom0, as a daemon.
    """

    name: str
    command: str


DEBIAN = Store("debian", f"{XEN_BIN / 'xenstored'} --pid-file /run/xenstored.pid")
OCAML = Store("oxenstored", f"{XEN_BIN / 'oxenstored'} --pid-file /run/xenstored.pid")
#: The environment this test runs in: dom0 sees it at the same place.
OURS = Store("ours", f"{Path(sys.prefix) / 'bin/xenstored'} --pid-file /run/xenstored.pid")


def start(dom0: Dom0, store: Store) -> None:
    """Bring the host up on `store`: consoles, dom0's own nodes, a bridge. Raises dom0.Failed."""
    dom0.must(script("host") + _store(store) + script("own-nodes"), LIMIT_S)


def replace(dom0: Dom0, store: Store) -> None:
    """Put another store, empty, under a host whose guests have ended. Raises dom0.Failed."""
    kill(dom0)
    dom0.must(script("forget") + _store(store) + script("own-nodes"), LIMIT_S)


def kill(dom0: Dom0) -> None:
    """End the store as by a crash, and the console daemon, which does not outlive it.  Raises dom0.Failed."""
    dom0.must(script("kill"))


def restart(dom0: Dom0, store: Store) -> None:
    """Start the store again where it ended: with what it knows by itself.  Raises dom0.Failed."""
    dom0.must(_store(store), LIMIT_S)


def _store(store: Store) -> str:
    return f"STORE_COMMAND='{store.command}'\n{script('store')}"
