"""xl edit: a configured domain's file in an editor; what is wrong does not get into its place."""

from __future__ import annotations

import os

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import Command
from xenclient.cli.xl.errors import log_error, log_map
from xenclient.cli.xl.failure import Failure
from xenclient.cli.xl.printing import clean, log, write
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Map = Mapping[str, Any]

#: The first of these that is set; else the last word.
EDITORS = ("VISUAL", "EDITOR")
EDITOR = "vi"


def run(call: Call) -> int:
    import shutil
    import tempfile

    name = call.arguments[0]
    found = call.client.call("managed.read", name=name)
    directory = tempfile.mkdtemp(prefix="xl-edit-")  # which nobody else may enter
    file = os.path.join(directory, found["file"])
    is_done = False
    try:
        _write(file, found["text"])
        while not is_done:
            _edit(file)
            is_done = _is_kept(call, name, found, file)
            if not is_done and not _is_to_go_on():
                return 1
    finally:
        if is_done or _content(file) in (None, found["text"]):
            shutil.rmtree(directory, ignore_errors=True)
        else:
            log(f"{found['path']} is as it was; what you wrote is in {file}\n")
    return 0


EDIT = Command("NAME", run)


def _write(file: str, text: bytes) -> None:

    try:
        with open(file, "wb") as opened:
            opened.write(text)
    except OSError as error:
        if os.path.exists(file):
            os.unlink(file)  # a part of it is nothing that somebody wrote
        message = f"cannot write a copy for the editor below {os.path.dirname(file)}: {error.strerror}"
        raise Failure(message, hint="TMPDIR=... names another place") from error


def _edit(file: str) -> None:
    """Run the editor, which may have options. Raises: Failure: it cannot be run, or fails."""
    import shlex
    import subprocess

    editor = next((os.environ[each] for each in EDITORS if os.environ.get(each)), EDITOR)
    try:
        status = subprocess.run([*shlex.split(editor), file], check=False).returncode
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Failure(f"cannot run the editor {editor}: {why}", hint="EDITOR=... names another") from error
    if status != 0:
        raise Failure(f"the editor {editor} failed (status {status})")


def _content(file: str) -> bytes | None:
    """What is in it; None: the editor removed it."""
    try:
        with open(file, "rb") as opened:
            return opened.read()
    except OSError:
        return None


def _is_kept(call: Call, name: str, found: Map, file: str) -> bool:
    """Whether what was written is the configuration now, or was before; what is wrong with it is logged.

    Raises:
        BusError: it cannot be put there for another reason than what is written.
    """
    text = _content(file)
    if text is None or text == found["text"]:
        log(f"{found['path']} is as it was\n")
        return True
    try:
        done = call.client.call("managed.replace", name=name, text=text, was=found["digest"])
    except BusError as error:
        if "problems" not in error.fields and error.code != "name_in_use":
            raise
        log_error(error, call.settings)
        return False
    for warning in done["warnings"]:
        log_map(warning, f"{call.settings.program}: warning")
    later = "; it runs, and has this once it is shut down and started" if done["is_up"] else ""
    write(clean(f"{done['path']} is changed{later}\n"))
    return True


def _is_to_go_on() -> bool:
    """Ask who is at a terminal whether to edit again."""
    if not (os.isatty(0) and os.isatty(2)):
        return False
    log("Edit it again? [Y/n] ")
    answer = b""
    while not answer.endswith(b"\n") and (typed := os.read(0, 1)):
        answer += typed
    return bool(answer) and answer.strip().lower() not in (b"n", b"no")
