"""`python -P -m xend.bootloader.cell DESCRIPTOR`: a boot loader, shut in; its order comes by the socket.

Linux: namespaces of its own for mounts, network, processes and messages; a view of the system's programs and
of the one disk, read only; a bounded file system in memory for what it writes; a user that has no other
process and no file; no way to more rights.  NetBSD: a user of its own, the disk as a descriptor that is open
for reading only, and limits; it has no way to take the network or the view of the files away without mounts
that a crash would leave, so that the loader sees there what any user sees.

Everything of it ends with this process, and this process with xend, whose end of the socket closes.
"""

import errno
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import attrs

from xend.bootloader import linux
from xend.bootloader.contract import Lie, Loader, argv_of
from xend.bootloader.order import Limits, Order, Report, order_of, pack
from xend.bootloader.outcome import Outcome, taken
from xend.bootloader.removal import remove_tree
from xend.model.reaper import end_all_of

#: Of a process that did not become the loader.
NOT_BEGUN = 250
#: Whether a child could not do what it was for; shared with it until it becomes the loader.
_was_refused = mmap.mmap(-1, 1)
#: How often, and at which distance, what is left of it is killed until nothing is.
KILLS, KILL_SECONDS = 100, 0.01
#: What shells add to the number of a signal that ended a program.
SIGNALLED = 128
#: How the loader sees its directory and the disk, where it has a view of its own.
SHOWN_SCRATCH, SHOWN_DISK = "/boot-out", "/disk/disk"
ENVIRONMENT = {
    "TERM": "vt100",
    "PATH": "/usr/pkg/sbin:/usr/pkg/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def main() -> None:
    """Take the order, have it done, report."""
    own = socket.socket(fileno=int(sys.argv[1]))
    own.set_inheritable(False)
    os.umask(0o022)  # the loader is another user, who has to see its view
    with own.makefile("rb") as lines:
        order = order_of(lines.readline())
    cell = Cell(order)
    threading.Thread(target=_end_with, args=(own, cell), daemon=True).start()
    own.sendall(pack(perform(cell)))
    os._exit(0)  # the thread still reads


def perform(cell: "Cell") -> Report:
    """Run the loader, and take what it leaves."""
    _was_refused[0] = 0
    try:
        status = cell.run()
        if _was_refused[0]:
            return Report(refused="it could not be begun")
        outcome = cell.take() if status == 0 else None
        cell.leave()
        return Report(status=status, outcome=outcome)
    except Lie as lie:
        return Report(status=0, lie=str(lie))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return Report(refused=f"{where}{error.strerror or error}")


@attrs.define
class Cell:
    """The place of one run: what lies where below the order's directory."""

    order: Order
    #: NetBSD: the process that is or becomes the loader, until it is waited for.
    _loader: int | None = attrs.field(default=None, init=False)
    #: Who holds it begins that process, kills it or waits for it.
    _on_loader: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    @property
    def scratch(self) -> str:
        """Where the loader writes."""
        return f"{self.order.directory}/scratch"

    def run(self) -> int:
        """Its exit status, negative: the signal that ended it.

        Raises:
            OSError: it could not be shut in.
        """
        directory = self.order.directory
        for name in ("scratch", "disk", "root"):
            os.mkdir(f"{directory}/{name}", 0o755)
        return self._run_in_a_view() if sys.platform == "linux" else self._run_as_a_user()

    def take(self) -> Outcome:
        """What it left.  Raises: Lie, OSError."""
        scratch = self.scratch
        shown = SHOWN_SCRATCH if sys.platform == "linux" else scratch
        return taken(f"{scratch}/answer", f"{scratch}/files", self.order.directory, f"{shown}/files")

    def leave(self) -> None:
        """Remove what it wrote, where that is not in a file system that ends with this process.

        Raises:
            OSError: some of it is still there.
        """
        if sys.platform != "linux":
            remove_tree(self.scratch)

    def _run_in_a_view(self) -> int:
        order, directory = self.order, self.order.directory
        linux.enter()
        linux.mount_scratch(self.scratch, order.limits.scratch_bytes, order.limits.files)
        self._furnish()
        disk = linux.give_disk(order.loader.disk, f"{directory}/disk", order.gid)
        own = os.pidfd_open(os.getpid())

        def first_process() -> int:
            """With it all others of its namespace end."""
            linux.die_with_parent(own)
            linux.be_ended_first()
            view = linux.View(f"{directory}/root", order.loader.program)
            linux.narrow_view(view, (disk, SHOWN_DISK), (self.scratch, SHOWN_SCRATCH))
            return _in_child(lambda: self._become(SHOWN_SCRATCH, SHOWN_DISK))

        return _in_child(first_process)

    def _run_as_a_user(self) -> int:
        order = self.order
        self._furnish()
        disk = os.open(order.loader.disk, os.O_RDONLY | os.O_CLOEXEC)
        os.chmod(order.directory, 0o711)  # the way to what is its own
        try:
            with self._on_loader:
                self._loader = _forked(lambda: self._become(self.scratch, f"/dev/fd/{disk}", disk))
            os.waitid(os.P_PID, self._loader, os.WEXITED | os.WNOWAIT)
            with self._on_loader:
                pid, self._loader = self._loader, None
                return _status_of(pid)
        finally:
            os.close(disk)
            if order.is_own_user:
                _end_all_of(order.uid)

    def end(self) -> None:
        """End what would outlive this process, which begins nothing more: on NetBSD all of the loader.

        The loader's own process is killed by its number, since it may not yet have become its user.

        Raises:
            OSError: some of it runs still.
        """
        if sys.platform == "linux":
            return
        self._on_loader.acquire()  # and never given back
        if self._loader is not None:
            os.kill(self._loader, signal.SIGKILL)
        if self.order.is_own_user:
            _end_all_of(self.order.uid)

    def _furnish(self) -> None:
        files, answer = f"{self.scratch}/files", f"{self.scratch}/answer"
        os.mkdir(files, 0o700)
        os.close(os.open(answer, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        for path in (files, answer):
            os.chown(path, self.order.uid, self.order.gid)

    def _become(self, scratch: str, disk: str, kept: int | None = None) -> int:
        """Be the loader from now on; kept: a descriptor that it gets besides its terminal."""
        order = self.order
        loader: Loader = attrs.evolve(order.loader, disk=disk)
        set_limits(order.limits)
        os.setgroups([])
        os.setgid(order.gid)
        os.setuid(order.uid)
        if sys.platform == "linux":
            linux.forbid_more_rights()
            os.close(os.open(disk, os.O_RDONLY | os.O_CLOEXEC))  # says so where it may not
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.chdir("/")
        _close_all_but(kept)
        argv = argv_of(loader, f"{scratch}/answer", f"{scratch}/files")
        os.execve(argv[0], argv, ENVIRONMENT)


def set_limits(limits: Limits) -> None:
    """Of this process, and each that it starts."""
    bounds = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_NPROC: limits.processes,
    }
    for which, most in bounds.items():
        _, hard = resource.getrlimit(which)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (value, value))


def _in_child(act: Callable[[], int]) -> int:
    """What a child of this process returns that does this; negative: the signal that ended it."""
    return _status_of(_forked(act))


def _forked(act: Callable[[], int]) -> int:
    """The process id of a child that does this and ends with what it returns."""
    pid = os.fork()
    if pid != 0:
        return pid
    status = NOT_BEGUN
    try:
        status = act()
    except OSError as error:
        _was_refused[0] = 1
        where = f"{error.filename}: " if error.filename else ""
        os.write(2, f"xend: {where}{error.strerror or error}\r\n".encode(errors="replace"))
    finally:
        os._exit(status if status >= 0 else SIGNALLED - status)


def _status_of(pid: int) -> int:
    """What a child ended with, once it has; negative: the signal that ended it, or its own child."""
    _, ended = os.waitpid(pid, 0)
    status = os.waitstatus_to_exitcode(ended)
    return SIGNALLED - status if SIGNALLED < status < SIGNALLED + 65 else status


def _end_all_of(uid: int) -> None:
    """Whatever runs as a user that has no other processes; what begins another one meanwhile, too.

    Of a zombie nothing is left to end: only its parent, or init in its own time, can take it away.

    Raises:
        OSError: some of it runs still.
    """

    def end() -> int:
        end_all_of(uid)
        return 0

    words = ("ps", "-U", str(uid), "-o", "stat=")
    for _ in range(KILLS):
        _in_child(end)
        states = subprocess.run(words, env=ENVIRONMENT, capture_output=True, check=False).stdout.split()
        if all(state.startswith(b"Z") for state in states):
            return
        time.sleep(KILL_SECONDS)
    raise OSError(errno.EBUSY, "what it started cannot be ended")


def _close_all_but(kept: int | None) -> None:
    """All descriptors behind the standard ones, but one."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] + 1024
    if kept is None:
        os.closerange(3, most)
    else:
        os.set_inheritable(kept, True)
        os.closerange(3, kept)
        os.closerange(kept + 1, most)


def _end_with(own: socket.socket, cell: Cell) -> None:
    """End as soon as xend has, or wants no more; on Linux all of the loader ends with this process."""
    try:
        with suppress(OSError):  # a connection that is reset has ended, too
            own.recv(1)
        cell.end()
    finally:
        os._exit(NOT_BEGUN)


if __name__ == "__main__":
    main()
