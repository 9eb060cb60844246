"""A host for hotplug scripts, all in one directory: stand-ins for the system's programs, and a real store."""

import itertools
import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from xenclient.store.blocking import Client
from xenstore.errors import ENOENT

SCRIPTS = Path(__file__).parents[2] / "xend" / "scripts"
STANDIN = Path(__file__).with_name("standin")
PROGRAMS = (
    "uname", "xenstore-ls", "xenstore-list", "xenstore-read", "xenstore-write", "xenstore-exists",
    "sysctl", "stat", "mkdir",
    "vnconfig", "ifconfig", "brconfig", "route", "npfctl", "iscsictl", "iscsiadm", "flock", "sleep",
    "ip", "nft", "losetup", "mount", "swapctl", "dkctl", "dmsetup",
)  # fmt: skip
#: What a test may not leave there, besides the calls and the interfaces and bridges that it has put there.
CHANGEABLE = ("disks", "up", "members", "addresses", "routes", "table", "targets", "sessions", "state")

_domids = itertools.count(100)


class World:
    """A host and one device's backend on it.

    Attributes:
        system: what uname says.
        backend: the absolute path of the device's backend; its domid is this world's own.
        dev: its /dev.
        namespace: of the network, where scripts run; None: the programs that would notice are stand-ins.
    """

    namespace: str | None = None

    def __init__(self, top: Path, kind: str, store: Path, tools: Path, shell: str, system: str) -> None:
        self.top = top
        self.system = system
        self._shell = shell
        self._others: list[str] = []
        self._client = Client(str(store))
        self.domid = next(_domids)
        self.relative = f"backend/{kind}/{self.domid}/0"
        self.backend = f"/local/domain/0/{self.relative}"
        self.dev = top / "dev"
        for name in ("bin", "dev", "disks", "interfaces", "members/bridge0"):
            (top / name).mkdir(parents=True)
        for program in PROGRAMS:
            (top / "bin" / program).symlink_to(STANDIN)
        for unit in range(2):
            (self.dev / f"vnd{unit}d").touch()
        (self.dev / "sd1d").touch()
        (self.dev / "MAKEDEV").write_text("touch ${1}d\n")
        (top / "interfaces" / self.interface).touch()
        self.image = top / "image"
        self.image.write_bytes(bytes(4096))
        self._environment = {
            "PATH": str(top / "bin"),
            "WORLD": str(top),
            "SYSTEM": system,
            "TOOLS": str(tools),
            "XENSTORED_PATH": str(store),
            "XEN_HOTPLUG_STATE": str(top / "state"),
            "XEN_HOTPLUG_DEV": str(self.dev),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if system == "Linux":
            self._environment["REAL"] = "1"

    @property
    def interface(self) -> str:
        return f"xvif{self.domid}i0"

    def close(self) -> None:
        # A script looks into the directory of each class of backends: none stays for the next test's.
        for path in ("/local/domain/0/backend", *self._others):
            self._remove(path)
        self._client.close()

    # --- the store ------------------------------------------------------------------------------------

    def say(self, nodes: Mapping[str, str]) -> None:
        """Write nodes of the backend."""
        for key, value in nodes.items():
            self._client.write(f"{self.backend}/{key}", self.filled(value).encode())

    def nodes(self) -> dict[str, str]:
        """Those of the backend."""
        try:
            keys = self._client.directory(self.backend)
        except ENOENT:
            return {}
        return {key: self._client.read(f"{self.backend}/{key}").decode() for key in keys}

    def read(self, path: str) -> str | None:
        """Any node; None: it is not there."""
        try:
            return self._client.read(path).decode()
        except ENOENT:
            return None

    def vanish(self) -> None:
        """The backend's directory goes."""
        self._remove(self.backend)
        self._remove(self.backend.rpartition("/")[0])

    def _remove(self, path: str) -> None:
        with suppress(ENOENT):
            self._client.rm(path)

    def put_beside(self, path: str, nodes: Mapping[str, str]) -> None:
        """Nodes of another backend: below /local/domain/0/backend."""
        for key, value in nodes.items():
            self._client.write(f"/local/domain/0/backend/{path}/{key}", self.filled(value).encode())

    def put_node(self, path: str, value: str) -> None:
        """Any other node, which goes with this world."""
        self._others.append(path)
        self._client.write(path, value.encode())

    # --- scripts --------------------------------------------------------------------------------------

    def filled(self, text: str) -> str:
        """A table's text with this world's own names."""
        return text.format(
            B=self.backend, dev=self.dev, image=self.image, IF=self.interface, top=self.top, D=self.domid,
            a=self.domid // 256, b=self.domid % 256,
        )  # fmt: skip

    def run(self, script: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Calls a script: on NetBSD with the backend and a state, on Linux with a verb and its words."""
        (self.top / "calls").write_text("")
        if self.system == "NetBSD":
            words = (self.backend, *words)
        else:
            environment["XENBUS_PATH"] = self.relative
        return self._call([self._shell, str(SCRIPTS / script), *words], environment)

    def reclaim(self) -> subprocess.CompletedProcess[str]:
        """Calls hotplug-reclaim."""
        return self._call([self._shell, str(SCRIPTS / "hotplug-reclaim")], {})

    def _call(self, argv: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        if self.namespace is not None:
            inside = ["ip", "netns", "exec", self.namespace, "env", f"PATH={self.top}/bin"]
            argv = ["/usr/bin/env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *inside, *argv]
        return subprocess.run(
            argv,
            env=self._environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def calls(self) -> list[str]:
        """What the last script has called, in order."""
        return (self.top / "calls").read_text().splitlines()

    def left(self) -> dict[str, str]:
        """What scripts have changed on this host and not taken back: file, text."""
        found = {}
        for name in CHANGEABLE:
            for path in sorted((self.top / name).rglob("*")):
                if path.is_file() and path.name != "iscsi.lock":
                    found[str(path.relative_to(self.top))] = path.read_text().strip()
        return found

    def put(self, name: str, text: str = "") -> None:
        """A file of the world."""
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def take(self, name: str) -> None:
        """No such file or directory in the world any more."""
        path = self.top / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            os.unlink(path)
