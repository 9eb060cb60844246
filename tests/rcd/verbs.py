"""What scripts answer, with process ids as N."""

import re
import subprocess
from collections.abc import Mapping

from tests.rcd.host import Dom0

PREFIXES = ("", "one", "force", "fast")

_PID = re.compile(r"(pid[ =])\d+")


def answer(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    """Exit status, output, complaints."""
    return done.returncode, _PID.sub(r"\1N", done.stdout), _PID.sub(r"\1N", done.stderr)


def ask(dom0: Dom0, script: str, verb: str, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """What a script answers."""
    return answer(dom0.service(script, verb, env))


def hint(variable: str, script: str, verb: str) -> str:
    """What rc.subr says of a service that rc.conf does not enable."""
    return (
        f"${variable} is not enabled - see rc.conf(5).\n"
        "Use the following if you wish to perform the operation:\n"
        f"  /etc/rc.d/{script} one{verb}\n"
    )


def polled(poll: subprocess.Popen[str]) -> bool:
    """Whether a script's poll ends well; it may or may not have had to wait."""
    said = re.sub(r"[\d ]+\.", " N.", poll.communicate()[0])
    return poll.returncode == 0 and said in ("", "Waiting for PIDS: N.\n")
