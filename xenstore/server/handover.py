"""The first half of a live update: leaving everything to another program.

The new program is asked for its --help first, so that it is one that starts and calls itself xenstored; one
of ours must then also say that it can go on from the state as it is.  Only after that, and once the rules
about transactions allow it, the state is written to RUNDIR/state_dump and the program executed in this
process, with all sockets and the event channels' descriptor kept open.  Whatever fails before leaves this
one serving as if nothing had been asked; for what fails after there is the `guardian`.
"""

import functools
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Self

import trio

from xenstore import stream
from xenstore._pump import Pump
from xenstore.daemon import child, files
from xenstore.daemon.locks import Held
from xenstore.image import Image, State, capture
from xenstore.journal.writer import Journal
from xenstore.live_update import OK, Attempt, LiveUpdate
from xenstore.server import guardian
from xenstore.server.arrival import STATE_FILE
from xenstore.server.rings import Rings
from xenstore.server.server import Server
from xenstore.server.start import SIGNALS
from xenstore.store import Session, Store

#: How often open transactions are looked at that a live update waits for, in seconds.
LOOK_SECONDS = 0.05
#: How long the new program may take to answer what it is asked before.
ANSWER_SECONDS = 60.0

_LIVE_UPDATE = ("-U", "--live-update")


class Refused(Exception):
    """The new program does not take over; the text says why."""


class Handover:
    """Does what the dialogue asks for.

    arguments: this program's own, which the new one gets unless it is given others.
    """

    def __init__(
        self,
        dialogue: LiveUpdate,
        store: Store,
        pump: Pump,
        rings: Rings | None,
        journal: Journal | None,
        listener_fd: int,
        rundir: str,
        held: Held,
        arguments: Sequence[str],
    ) -> None:
        self._dialogue = dialogue
        self._store = store
        self._pump = pump
        self._rings = rings
        self._journal = journal
        self._listener_fd = listener_fd
        self._rundir = rundir
        self._held = held
        self._arguments = [each for each in arguments if each not in _LIVE_UPDATE]
        self._environment = {**child.environment(os.environ), "XENSTORED_RUNDIR": rundir}

    @classmethod
    def of(cls, server: Server, dialogue: LiveUpdate) -> Self:
        """What can put another program in the place of a server that is up."""
        return cls(
            dialogue,
            server.store,
            server.pump,
            server.rings,
            server.journal,
            server.listener_fd,
            server.options.rundir,
            server.held,
            server.options.arguments,
        )

    async def serve(self) -> None:
        """Wait for live updates to be asked for, until cancelled."""
        token = trio.lowlevel.current_trio_token()
        while True:
            asked = trio.Event()
            self._dialogue.on_start = lambda: token.run_sync_soon(asked.set)  # noqa: B023 (one at a time)
            if not self._dialogue.is_asked:  # it may have been before this task began
                await asked.wait()
            attempt = self._dialogue.attempt
            if attempt is None:
                continue
            try:
                await self._attempt(attempt)
            except Refused as refusal:
                text = str(refusal)
            except Exception as error:  # noqa: BLE001 - the one who asked for the update is answered
                text = f"internal error: {error!r}"
            if self._dialogue.attempt is attempt:
                self._dialogue.finish(text)

    async def _attempt(self, attempt: Attempt) -> None:
        """Returns only by raising Refused."""
        is_ours = await self._examine(attempt)
        version = attempt.version or (2 if is_ours else 1)
        if is_ours:
            await self._rehearse(attempt, version)
        elif self._rings is None or 0 not in self._store.introduced:
            raise Refused(f"{attempt.program} needs dom0's store ring, which this store does not have")
        self._dialogue.hold_transactions()
        while self._verdict(attempt) is None:  # noqa: ASYNC110 - a hang-up is found only by looking
            await trio.sleep(LOOK_SECONDS)
        self._go(attempt, version, is_ours)

    def _verdict(self, attempt: Attempt) -> str | None:
        if self._dialogue.attempt is not attempt or self._is_gone(attempt.session):
            raise Refused("Cancellation was requested")
        verdict = self._dialogue.verdict(attempt, self._store.now)
        if verdict is not None and verdict != OK:
            raise Refused(verdict)
        return verdict

    def _is_gone(self, session: Session) -> bool:
        """Whether the client that asked has hung up, which the pump does not notice while it waits."""
        for fd, other in self._pump.sessions():
            if other is session:
                with socket.socket(fileno=os.dup(fd)) as peek:
                    try:
                        return peek.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
                    except BlockingIOError:
                        return False
                    except OSError:
                        return True
        return session.closed

    # --- before ---------------------------------------------------------------------------------------------

    async def _examine(self, attempt: Attempt) -> bool:
        """Whether the new program is one of ours; raises Refused if it is no xenstored that starts."""
        status, text = await self._run(attempt.program, ["--help"])
        if status != 0 or "xenstored" not in text:
            outcome = _outcome(status, text)
            raise Refused(f"{attempt.program} --help: {outcome}, where a xenstored's is expected")
        if "--config-file" in text:  # it calls itself xenstored, too
            raise Refused(f"{attempt.program} is oxenstored, which reads no state but its own")
        return "--check-state" in text

    async def _rehearse(self, attempt: Attempt, version: int) -> None:
        """Let the new program, with its arguments, try to go on from a copy of the state."""
        path = os.path.join(self._rundir, "state_check")
        try:
            for _ in self._writing(path, self._image(), version, is_ours=True):
                await trio.lowlevel.checkpoint()  # clients are served meanwhile
            status, text = await self._run(
                attempt.program, [*self._arguments_of(attempt), "--check-state", path]
            )
        finally:
            with suppress(OSError):
                os.unlink(path)
        if status != 0:
            raise Refused(f"{attempt.program} cannot take over: {_outcome(status, text)}")

    async def _run(self, program: str, arguments: Sequence[str]) -> tuple[int, str]:
        """Exit status and output of the new program."""
        with trio.move_on_after(ANSWER_SECONDS):
            try:
                done = await trio.run_process(
                    [os.path.abspath(program), *arguments],
                    env=self._environment,
                    cwd=child.DIRECTORY,
                    check=False,
                    capture_stdout=True,
                    stderr=subprocess.STDOUT,
                )
            except OSError as error:
                raise Refused(f"Error activating new binary: {program}: {error.strerror}") from error
            return done.returncode, done.stdout.decode("utf-8", "replace")
        raise Refused(f"{program} {' '.join(arguments)}: no answer within {ANSWER_SECONDS:.0f} s")

    def _arguments_of(self, attempt: Attempt) -> list[str]:
        if attempt.arguments is None:
            return self._arguments
        return [each for each in attempt.arguments if each not in _LIVE_UPDATE]

    # --- the moment -----------------------------------------------------------------------------------------

    def _go(self, attempt: Attempt, version: int, is_ours: bool) -> None:
        """Become the new program.  Raises Refused, with everything as before."""
        path, own_path = (os.path.join(self._rundir, name) for name in (STATE_FILE, "state_own"))
        self._store.seal_now()
        image, reply = self._image(), functools.partial(self._with_reply, attempt.session)
        died = f"{attempt.program} died before it had taken over; the old program goes on in another process"
        try:
            self._write(path, reply(image, OK), version, is_ours)
            self._write(own_path, reply(image, died), 2, is_ours=True)
            with self._handed_over(image, is_ours), _signals_wait(is_ours):
                self._become(attempt, path, own_path)
        except OSError as error:
            raise Refused(f"Error activating new binary: {attempt.program}: {error.strerror}") from error
        finally:
            for each in (path, own_path):
                with suppress(OSError):
                    os.unlink(each)

    def _become(self, attempt: Attempt, path: str, own_path: str) -> None:
        """Raises OSError if this process cannot become the new program."""
        own_command = child.again([*self._arguments, "-U"])
        environment = {**self._environment, **self._held.environment()}
        descriptor = guardian.start(path, own_path, own_command, environment)
        try:
            arguments = [attempt.program, *self._arguments_of(attempt), "-U"]
            os.execve(attempt.program, arguments, {**environment, guardian.DESCRIPTOR: str(descriptor)})
        finally:
            os.unlink(path)  # before the descriptor is closed: the guardian has nothing to do
            os.close(descriptor)

    def _with_reply(self, session: Session, image: Image, text: str) -> Image:
        """The image with the reply to -s among what its session has yet to be sent."""
        reply = session.postponed_reply(os.fsencode(text) + b"\0")
        fds = [fd for fd, other in self._pump.sessions() if other is session]
        clients = [
            each._replace(session=_with_output(each.session, reply)) if each.fd in fds else each
            for each in image.clients
        ]
        domains = [
            each._replace(session=_with_output(each.session, reply))
            if self._store.session_of(each.domid) is session
            else each
            for each in image.domains
        ]
        return image._replace(clients=tuple(clients), domains=tuple(domains))

    def _image(self) -> Image:
        return capture(
            self._store,
            self._pump.sessions(),
            local_ports={} if self._rings is None else self._rings.local_ports(),
            socket_fd=self._listener_fd,
            event_fd=-1 if self._rings is None else self._rings.event_fd,
        )

    def _write(self, path: str, image: Image, version: int, is_ours: bool) -> None:
        for _ in self._writing(path, image, version, is_ours):
            pass

    def _writing(self, path: str, image: Image, version: int, is_ours: bool) -> Iterator[None]:
        """Writes the state of the moment of the first step, a piece a step."""
        private = is_ours and version > 1
        try:
            fd = files.create(path)
            try:
                for piece in stream.write(image, self._store, version, private=private):
                    files.write_all(fd, piece)
                    yield
            finally:
                os.close(fd)
        except OSError as error:
            raise Refused(f"Dump write error: {path}: {error.strerror}") from error
        except ValueError as error:
            raise Refused(f"Dump connection state error: {error}; try again") from error

    @contextmanager
    def _handed_over(self, image: Image, is_ours: bool) -> Iterator[None]:
        """What the new program needs is its own; undone at the end, if there is one."""
        if self._journal is not None and not is_ours:
            self._journal.leave("another program went on with the store, by live update")
        fds = [client.fd for client in image.clients] + [image.socket_fd, image.event_fd]
        fds = [fd for fd in fds if fd >= 0]
        if self._rings is not None:
            self._rings.hand_over()
        try:
            for fd in fds:
                os.set_inheritable(fd, True)
            self._held.pass_on(True)
            yield
        finally:
            self._held.pass_on(False)
            for fd in fds:
                os.set_inheritable(fd, False)
            if self._rings is not None:
                self._rings.hear_of_changes()
            if self._journal is not None and not is_ours:
                self._journal.retry()


@contextmanager
def _signals_wait(wanted: bool) -> Iterator[None]:
    """Signals that arrive before the new program can receive them wait, where that one lets them in again."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS if wanted else ())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _with_output(state: State, more: bytes) -> State:
    return {**state, "output": state["output"] + more}


def _outcome(status: int, text: str) -> str:
    lines = text.strip().splitlines()
    said = f", {lines[-1][:200]!r}" if lines else ""
    return f"exit status {status}{said}" if status >= 0 else f"killed by signal {-status}{said}"
