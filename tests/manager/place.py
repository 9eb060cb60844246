"""A simulated host of its own for a test: a directory, the real xend in it, and the command lines."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.manager.daemon import PATIENCE_SECONDS, Daemon
from tests.manager.slow_script import SlowScript
from tests.unit.xenclient.xl.conftest import SAID
from xenclient.store.blocking import Client as StoreClient
from xenclient.xend.blocking import Client, Console
from xenclient.xend.errors import BusError
from xend.demo.__main__ import furnish, options
from xend.simulator.__main__ import PID_FILE
from xenstore.errors import ENOENT

DOMAIN = """
name = "{name}"
kernel = "/netbsd-XEN3_DOMU.gz"
memory = 32
disk = [ 'file:/n0/xen/foo-wd0,0x0,r' ]
vif = [ 'bridge=bridge0' ]
"""
#: Backends of such a domain, below /local/domain/0/backend.
BACKENDS = ("vbd/{domid}/0", "vif/{domid}/0")
#: Directories of all domains' nodes, which stay when the last one goes, as they do with libxl.
TOPS = {"/vm", "/libxl", "/local/domain/0/backend"} | {
    f"/local/domain/0/backend/{kind}" for kind in ("vif", "vbd", "console")
}


class Place:
    """A host's directory.

    programs: the directory of this project's programs, and of the interpreter that runs them.

    Attributes:
        programs: see above.
        python: that interpreter.
        environment: of every program that is run here.
        xend: the manager, not started yet.
        host: the simulated host's process, which xend starts if nobody else did.
        others: daemons that end with the place.
    """

    def __init__(self, top: Path, programs: Path) -> None:
        self.top = top
        self.programs = programs
        self.python = str(programs / "python3")
        self.socket = top / "socket"
        self.store_socket = top / "xenstored/socket"
        self.log_file = top / "log/xend.log"
        self.scripts = top / "etc/scripts"
        furnish(top, programs)
        self.environment = clean_environment() | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "XEND_SOCKET": str(self.socket),
            "XEND_CONFIG_DIR": str(top / "etc"),
            "XENSTORED_PATH": str(self.store_socket),
        }
        pid_file = top / "pid"
        argv = [self.python, "-m", "xend", *options(top), "--pid-file", str(pid_file)]
        self.xend = Daemon(argv, self.socket, pid_file, self.environment)
        simulator = [self.python, "-m", "xend.simulator", str(top / "sim")]
        self.host = Daemon(simulator, top / "sim/host.socket", top / "sim" / PID_FILE, self.environment)
        self.others: list[Daemon] = []
        self._slow: list[SlowScript] = []

    def start(self, *more: str, failpoint: str | None = None) -> int:
        """A xend that answers; returns its process id.

        failpoint: "KIND:STEP", where it kills itself.
        """
        extra = {} if failpoint is None else {"XEND_FAILPOINT": failpoint}
        return self.xend.start(*more, env=extra)

    def restart(self, failpoint: str | None = None) -> None:
        """xend is killed, and another one started."""
        self.xend.clean_up()
        self.start(failpoint=failpoint)

    def die_starting(self, failpoint: str) -> None:
        """A xend that kills itself as it goes on with what the one before it left."""
        self.xend.run(env={"XEND_FAILPOINT": failpoint})
        if self.xend.pid is not None:
            self.xend.await_end()

    def log(self) -> str:
        """What xend has logged."""
        return self.log_file.read_text()

    def clean_up(self) -> None:
        """End all that runs here: xend, stores, and the simulated host with all its domains."""
        for daemon in (self.xend, *self.others):
            daemon.clean_up()
        self.host.clean_up(signal.SIGTERM)
        for script in self._slow:
            script.close()

    def slow_script(self, name: str) -> SlowScript:
        """Has a hotplug script stand still from now on."""
        self._slow.append(SlowScript(self.scripts / name))
        return self._slow[-1]

    # --- its clients ----------------------------------------------------------------------------------

    def client(self) -> Client:
        """A connection to xend."""
        return Client(str(self.socket), timeout=PATIENCE_SECONDS)

    def store(self) -> StoreClient:
        """A connection to the store."""
        return StoreClient(str(self.store_socket), timeout=PATIENCE_SECONDS)

    def program(self, name: str) -> str:
        """The path of one of this project's programs."""
        return str(self.programs / name)

    def tool(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Runs a command line of this project's: xl, xenstore-ls."""
        return subprocess.run(
            [self.program(argv[0]), *argv[1:]],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            cwd=self.top,
        )

    def said(self, *argv: str) -> str:
        """What a command line prints that succeeds without a complaint."""
        done = self.tool(*argv)
        assert (done.returncode, SAID.sub("", done.stderr)) == (0, ""), done
        return done.stdout

    # --- domains --------------------------------------------------------------------------------------

    def create(self, name: str, *extra: str) -> int:
        """The domid of a new domain whose devices are connected."""
        with self.client() as client:
            domid: int = client.create(DOMAIN.format(name=name), extra=extra)["domid"]
        self.await_connected(domid)
        return domid

    def await_connected(self, domid: int) -> None:
        """Returns once the devices of such a domain are connected."""
        for backend in BACKENDS:
            self.await_node(f"/local/domain/0/backend/{backend.format(domid=domid)}/state", b"4")

    def await_node(self, path: str, *wanted: bytes | None) -> None:
        """Returns once a node of the store has one of these values; None: once it is not there."""
        with self.store() as store:
            await_node(store, path, *wanted)

    def nodes(self) -> list[str]:
        """Everything in the store, as xenstore-ls -f prints it.

        Less the directories of TOPS, and the names of pseudo-terminals, which each xend opens anew.
        """
        lines = self.said("xenstore-ls", "-f").splitlines()
        return [line for line in lines if line.split(" =")[0] not in TOPS and "/console/tty =" not in line]

    def domains(self) -> list[tuple[object, ...]]:
        """What stays the same of each domain, as long as nothing happens to it."""
        kept = ("domid", "name", "uuid", "state", "start_time", "operation", "devices")
        with self.client() as client:
            return [tuple(each[key] for key in kept) for each in client.domains()]

    def names(self) -> list[str]:
        """Of all domains but dom0."""
        with self.client() as client:
            return [each["name"] for each in client.domains() if each["domid"] != 0]

    def snapshot(self) -> list[object]:
        """Everything that a domain could leave behind."""
        with self.client() as client:
            free_kib = client.host_info()["free_memory_kib"]
        files = sorted(os.listdir(self.top / "domains"))
        return [*self.nodes(), *self.domains(), *files, f"{free_kib} KiB free"]

    def settle(self) -> None:
        """Returns once no operation runs; each is waited for, whatever becomes of it."""
        with self.client() as client:
            while running := [
                each for each in client.operations() if each["state"] in ("running", "undoing")
            ]:
                for each in running:
                    outcome(client, each["operation"])


def clean_environment() -> dict[str, str]:
    """This process's, without what would lead programs to another host."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XEN", "NOTIFY_"))}
    return kept | {"LC_ALL": "C"}


def settle(client: Client) -> None:
    """Returns once no operation runs; each is waited for, whatever becomes of it."""
    while running := [each for each in client.operations() if each["state"] in ("running", "undoing")]:
        for each in running:
            outcome(client, each["operation"])


def outcome(client: Client, operation: str) -> str:
    """The state in which an operation ends."""
    with suppress(BusError):
        client.operation_wait(operation)
    state: str = client.operation(operation)["state"]
    return state


def await_node(store: StoreClient, path: str, *wanted: bytes | None) -> None:
    """Returns once a node has one of these values; None: once it is not there."""
    with store.watch(path) as watch:
        while read(store, path) not in wanted:
            assert watch.next(PATIENCE_SECONDS)


def read(store: StoreClient, path: str) -> bytes | None:
    """A node's value; None: it is not there."""
    try:
        return store.read(path)
    except ENOENT:
        return None


def until(console: Console, wanted: bytes) -> bytes:
    """What a console brings, up to the end of what is wanted or somewhat further."""
    said = b""
    while wanted not in said:
        brought = console.read(PATIENCE_SECONDS)
        assert brought, said
        said += brought
    return said
