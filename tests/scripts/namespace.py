"""Networks of their own, as the kernel gives them: dom0's side of a test, without touching the machine's."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.peers.daemons import need

#: Rules that a kernel has to know for vif-nat.
TRANSLATES = """
add table ip probe
add chain ip probe x { type nat hook postrouting priority 100; }
add rule ip probe x masquerade
delete table ip probe
"""


def lacking(reason: str) -> NoReturn:
    """Skips the test, or fails it where it is known to be possible: as root, with XEND_REQUIRE_PEERS=1."""
    if os.environ.get("XEND_REQUIRE_PEERS") == "1" and os.geteuid() == 0:
        pytest.fail(reason)
    pytest.skip(reason)


class Namespace:
    """A network namespace.

    Attributes:
        name: for `ip -n`.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def ip(self, words: str) -> str:
        """Runs ip in it; returns what it prints."""
        return self.exec("ip", *words.split())

    def shown(self, words: str) -> Any:
        """What ip shows, as JSON: a list of maps."""
        return json.loads(self.exec("ip", "-j", *words.split()) or "[]")

    def link(self, name: str) -> dict[str, Any] | None:
        """What ip says of an interface; None: there is none."""
        return next((link for link in self.shown("-d link show") if link["ifname"] == name), None)

    def exec(self, *argv: str) -> str:
        """Runs a program in it; returns what it prints."""
        argv = ("ip", "netns", "exec", self.name, *argv)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"{argv}: {done.stderr}"
        return done.stdout

    def popen(self, *argv: str) -> subprocess.Popen[str]:
        """Starts a program in it."""
        argv = ("ip", "netns", "exec", self.name, *argv)
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@contextmanager
def namespace(name: str) -> Iterator[Namespace]:
    """One that goes with all that is in it; skips the test where there are none."""
    if os.geteuid() != 0:
        lacking("network namespaces are root's to make")
    if shutil.which("ip") is None:
        lacking("not installed: ip (Debian: iproute2)")
    name = f"xend-{os.getpid()}-{name}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, timeout=30)
    if made.returncode != 0:
        lacking(f"this kernel gives no network namespace: {made.stderr.strip()}")
    try:
        yield Namespace(name)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True, timeout=30)


def can(namespace: Namespace, kind: str, words: str) -> None:
    """Skips the test where the kernel makes no such interface."""
    argv = ["ip", "-n", namespace.name, *words.split()]
    made = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    if made.returncode != 0:
        lacking(f"this kernel makes no {kind}: {made.stderr.strip()}")


def need_translation(namespace: Namespace) -> None:
    """Skips the test where the kernel does not translate addresses."""
    need(Path("nft"))
    argv = ["ip", "netns", "exec", namespace.name, "nft", TRANSLATES]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        lacking(f"this kernel does not translate addresses: {done.stderr.strip()}")
