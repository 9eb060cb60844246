"""`python -m xend.demo DIR`: what `make run` starts.

Everything is below DIR: the files of a small host are put there if they are missing, xend runs in the
foreground with a simulated host, and one domain is created.  Ctrl-C or SIGTERM ends it all, the host
included.
"""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from xenclient.xend.blocking import Client
from xenclient.xend.errors import ClientError, ConnectError
from xend.bus.listeners import SOCKET
from xend.hypervisor import host_process
from xend.simulator.image import write_kernel
from xenstore.daemon import child
from xenstore.daemon.locks import Held, holding
from xenstore.daemon.start import Program, StartError
from xenstore.daemon.trusted import make_directory

PROGRAM = Program("xend.demo")

FILES = Path(__file__).with_name("files")
EXAMPLE = "example"
DISKS = ("n0/xen/example-wd0", "n0/xen/foo-wd0", "n0/xen/netbsd-ISO.iso")
DISK_BYTES = 16 << 20
START_SECONDS = 60.0
LOOK_SECONDS = 0.05
STOP_SECONDS = 20.0


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit status."""
    if len(arguments) != 1:
        print("usage: python -m xend.demo DIR", file=sys.stderr)
        return 2
    top = Path(arguments[0]).absolute()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's job in the background has SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    try:
        with holding(os.fspath(top / SOCKET), "xend") as held:
            furnish(top, Path(sys.executable).parent)
            return run(top, held)
    except StartError as error:
        PROGRAM.to_stderr(str(error))
        return 1
    except OSError as error:
        PROGRAM.to_stderr(f"{error.filename}: {error.strerror}")
        return 1
    except KeyboardInterrupt:
        return 0


def run(top: Path, held: Held) -> int:
    """Serve until a signal asks to stop, or xend ends; returns xend's exit status.

    held: xend's lock.  xend gets it, and this process keeps it: what is removed in the end is nobody else's.
    """
    held.pass_on(True)
    # In a session of its own: Ctrl-C reaches only this process, which tells xend once.
    xend = subprocess.Popen(
        child.module("xend", "--no-fork", *options(top)),
        env={**child.environment(os.environ), **held.environment()},
        cwd=child.DIRECTORY,
        close_fds=False,
        start_new_session=True,
    )
    held.pass_on(False)
    try:
        if create(top, xend):
            print(banner(top, Path(sys.executable).parent), flush=True)
        return xend.wait()
    except KeyboardInterrupt:
        return end(xend)
    finally:
        power_off(top)


def options(top: Path) -> list[str]:
    """xend's, for a host below a directory."""
    places = {"rundir": "", "config-dir": "etc", "log-dir": "log", "save-dir": "saved", "root": "root"}
    return [
        "--hypervisor=sim",
        *(f"--{name}={top / place if place else top}" for name, place in places.items()),
    ]


def furnish(top: Path, bin_directory: Path) -> None:
    """The host's files: configurations, scripts, a kernel and disks; what is there already stays.

    Raises:
        Untrusted: somebody else could have made or changed a directory of them.
        OSError: one cannot be written.
    """
    for source in sorted(FILES.rglob("*")):
        target = top / source.relative_to(FILES)
        if source.is_dir():
            make_directory(target)
        elif not target.exists():
            shutil.copy(source, target)
    for script in (top / "etc/scripts").iterdir():
        text = script.read_text()
        path = f"PATH={bin_directory}:$PATH"
        if path not in text:
            script.write_text(text.replace("set -e\n", f"set -e\n{path}\n", 1))
    root = top / "root"
    for disk in DISKS:
        image = root / disk
        make_directory(image.parent)
        if not image.exists():
            with image.open("wb") as file:
                file.truncate(DISK_BYTES)
    kernel = root / "netbsd-XEN3_DOMU.gz"
    if not kernel.exists():
        write_kernel(kernel)


def create(top: Path, xend: subprocess.Popen[bytes]) -> bool:
    """Create the example domain once xend answers; False: xend ended."""
    text = (top / "etc" / EXAMPLE).read_text()
    client = _connected(top, xend)
    if client is None:
        return False
    with client:
        try:
            if all(domain["name"] != EXAMPLE for domain in client.domains()):
                client.create(text, name=EXAMPLE, directory=os.fspath(top / "etc"))
        except ClientError as error:
            print(f"xend.demo: the example domain: {error}", file=sys.stderr)
    return True


def _connected(top: Path, xend: subprocess.Popen[bytes]) -> Client | None:
    """A client once there is a xend to talk to; None: it ended, or does not come up."""
    socket = top / SOCKET
    for _ in range(int(START_SECONDS / LOOK_SECONDS)):
        with suppress(ConnectError, FileNotFoundError):
            os.stat(socket)  # the client would wait for it, a xend that failed or not
            return Client(os.fspath(socket))
        try:
            xend.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        break
    return None


def banner(top: Path, bin_directory: Path) -> str:
    """What to try."""
    shown = min(os.path.relpath(bin_directory), os.fspath(bin_directory), key=len)
    here = min(os.path.relpath(top), os.fspath(top), key=len)
    return f"""
xend runs with a simulated host; all of it is in {here}.  In another terminal:

    export XEND_SOCKET={top}/socket XENSTORED_PATH={top}/xenstored/socket
    export XEND_CONFIG_DIR={top}/etc PATH={shown}:$PATH
    xl list
    xl console {EXAMPLE}     (log in with any name; ^] ends)
    xl create -c foo
    xl shutdown foo
    xenstore-ls -f /local/domain/1

Stop with Ctrl-C: the simulated host ends with it.
"""


def end(xend: subprocess.Popen[bytes]) -> int:
    """Ask xend to end; its exit status once it has."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    xend.terminate()
    try:
        return xend.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        xend.kill()
        return xend.wait()


def power_off(top: Path) -> None:
    """End the simulated host, and remove what is gone when a host goes down: what is in /var/run."""
    host_process.end(os.fspath(top / "sim"))
    for name in ("sim", "xenstored", "domains", "operations", "ends"):
        shutil.rmtree(top / name, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
