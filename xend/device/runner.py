"""Runs a script of the system's: its output kept, its time limited, nothing of it left."""

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

import trio

from xend.device.descendants import end_all
from xend.device.process import Process, start_process
from xend.device.unrunnable import refused
from xend.errors import XendError
from xend.host import ScriptOutcome
from xenstore.daemon.text import clean_lines

#: What is kept of a script's output: its end.
OUTPUT_MAX_BYTES = 4096
#: How long output is read that a script's children still hold open after it has ended, in seconds.
GRACE_SECONDS = 0.5
#: How long one that was killed is waited for: the kernel may hold it, on a file server that does not answer.
KILL_SECONDS = 5.0


async def run_script(argv: Sequence[str], environment: Mapping[str, str], seconds: float) -> ScriptOutcome:
    """Runs argv in a process group of its own, which is killed in the end whatever is left of it.

    What has left the group (a daemon, in a session of its own) goes on when argv ends by itself.  Where argv
    is killed, at the end of its time or because nobody waits for it any more, all that it started is, too, as
    far as the system lets it be found (see `descendants`).

    Raises:
        XendError: script_failed: it cannot be run, or did not end in time.
    """
    try:
        process = await start_process(argv, environment)
    except OSError as error:
        raise _refusal(argv[0], environment.get("PATH", ""), error) from error
    output = bytearray()
    try:
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_read, process, output)
                await process.wait()
                nursery.cancel_scope.deadline = trio.current_time() + GRACE_SECONDS
        if process.returncode is None:
            raise XendError(
                "script_failed",
                f"{argv[0]} did not end within {seconds:g} s and was killed",
                waited_s=seconds,
                reason="timeout",
                script_output=_text(output) or None,
            )
        return ScriptOutcome(process.returncode, _text(output))
    finally:
        with trio.CancelScope(shield=True):
            if process.returncode is None:
                await trio.to_thread.run_sync(end_all, process.pid)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            with trio.move_on_after(KILL_SECONDS):
                await process.wait()
            if process.stdout is not None:
                await process.stdout.aclose()


def _refusal(program: str, search_path: str, error: OSError) -> XendError:
    found = refused(program, search_path)
    if found is None:
        return XendError(
            "script_failed", f"{program} cannot be run", cause=error.strerror, reason="not_started"
        )
    text = f"{program} {found.complaint}"
    return XendError("script_failed", text, reason=found.reason, hint=found.hint)


async def _read(process: Process, output: bytearray) -> None:
    assert process.stdout is not None
    async for data in process.stdout:
        output += data
        del output[:-OUTPUT_MAX_BYTES]


def _text(output: bytearray) -> str:
    return "\n".join(clean_lines(output.decode("utf-8", "replace")))
