"""The viewer of screens that is installed, and how it is told which screen to show.

As Xen's xl does it: `vncviewer ADDRESS:DISPLAY`, and a password is on its standard input where it is called
with -autopass; TigerVNC's viewer, which has no such option, finds it in its environment.  No password is ever
an argument: everybody sees those.
"""

from __future__ import annotations

import os

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: In the order in which they are looked for.
VIEWERS = ("vncviewer", "xtightvncviewer", "xtigervncviewer", "gvncviewer", "ssvncviewer")
#: The variable that names another one, as for Xen's xl.
VARIABLE = "VNCVIEWER"
#: The port of display 0.
FIRST_PORT = 5900
#: Addresses that mean all of a host's, and the one by which it is reached from itself.
ALL, OWN = ("0.0.0.0", "::", ""), "localhost"


def viewer() -> str:
    """The path of the viewer.

    Raises:
        Failure: there is none.
    """
    wanted = os.environ.get(VARIABLE)
    for name in (wanted,) if wanted else VIEWERS:
        if path := _found(name):
            return path
    if wanted:
        raise Failure(f"the viewer {wanted!r} that {VARIABLE} names is no program, or not in PATH")
    raise Failure(
        f"no VNC viewer is installed: none of {', '.join(VIEWERS)} is in PATH",
        hint="apt install tigervnc-viewer, or pkgin install tigervnc; "
        f"{VARIABLE}=PATH in the environment names another",
    )


def viewer_asked(call: Call) -> str | None:
    """The same where -V or -A asks for it; None: neither does."""
    return viewer() if call.given("vncviewer") or call.given("vncviewer-autopass") else None


def _found(name: str) -> str | None:
    directories = [""] if "/" in name else os.environ.get("PATH", os.defpath).split(":")
    paths = (os.path.join(directory or ".", name) if "/" not in name else name for directory in directories)
    return next((path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)), None)


class Screen:
    """A screen as a viewer in dom0 reaches it.

    Attributes:
        where: ADDRESS:DISPLAY.
        password: None: it has none, or nobody wants it told.
    """

    def __init__(self, address: str, port: int, password: str | None) -> None:
        host = OWN if address.strip("[]") in ALL else address
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        self.where = f"{host}:{port - FIRST_PORT}"
        self.password = password

    def replace_by(self, program: str) -> None:
        """The viewer is run in the place of this program."""
        words, environment = self._call(program)
        if self._is_on_input(program):
            os.dup2(self._input(), 0)
        try:
            os.execve(program, words, environment)
        except OSError as error:
            raise _not_run(program, error) from error

    def start(self, program: str) -> None:
        """The viewer is run beside this program, which does not wait for its end."""
        words, environment = self._call(program)
        quiet = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        source = self._input() if self._is_on_input(program) else quiet
        actions = [(os.POSIX_SPAWN_DUP2, source, 0)]
        try:
            os.posix_spawn(program, words, environment, file_actions=actions, setpgroup=0)
        except OSError as error:
            raise _not_run(program, error) from error
        finally:
            for descriptor in {source, quiet}:
                os.close(descriptor)

    def _call(self, program: str) -> tuple[list[str], Mapping[str, str]]:
        words, environment = [program, self.where], dict(os.environ)
        if self._is_on_input(program):
            words.append("-autopass")
        elif self.password is not None:
            environment |= {"VNC_PASSWORD": self.password}
        return words, environment

    def _is_on_input(self, program: str) -> bool:
        return self.password is not None and "tigervnc" not in os.path.realpath(program)

    def _input(self) -> int:
        """A descriptor from which the password is read, and then no more."""
        reading, writing = os.pipe()
        os.write(writing, f"{self.password}\n".encode("utf-8", "surrogateescape"))
        os.close(writing)
        return reading


def screen_of(call: Call, domain: str | int, with_password: bool) -> Screen:
    """The screen of a domain.

    Raises:
        BusError: it has none.
    """
    found = call.client.call("screen.show", domain=domain)
    return Screen(found["address"], found["port"], found.get("password") if with_password else None)


def _not_run(program: str, error: OSError) -> Failure:
    return Failure(f"the viewer {program} cannot be run: {error.strerror}")
