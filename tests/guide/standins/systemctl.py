"""systemd, as far as docs/dom0.md goes: starts and stops services as their units say.

A program on its own.  What a unit's program is told beside it is in /machine/simulated/NAME, if there is
that: where the simulated machine is.
"""

import configparser
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

MACHINE = Path("/machine")
UNITS = Path("/etc/systemd/system")
READY_SECONDS = 30.0


class Unit:
    """A service."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._running = MACHINE / "running" / name
        parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string((UNITS / f"{name}.service").read_text())
        self._unit, self._service = parser["Unit"], parser["Service"]

    def pid(self) -> int:
        return int(self._running.read_text())

    def is_active(self) -> bool:
        return self._running.exists() and (self.pid() == 0 or Path(f"/proc/{self.pid()}").exists())

    def start(self) -> None:
        assert Path(self._unit["ConditionPathExists"]).exists(), self.name
        environment = self._environment()
        self._run("ExecStartPre", environment)
        if self._service["Type"] == "oneshot":
            self._run("ExecStart", environment)
            self._running.write_text("0")
        else:
            self._serve(environment)
        self._run("ExecStartPost", environment)

    def stop(self) -> None:
        if self.pid() == 0:
            self._run("ExecStop", self._environment())
            self._running.unlink()
            return
        os.kill(self.pid(), getattr(signal, self._service.get("KillSignal", "SIGTERM")))
        while self.is_active():
            pass

    def _environment(self) -> dict[str, str]:
        environment = {"PATH": os.environ["PATH"]}
        for line in (self._service.get("Environment", ""), *self._file(self._service["EnvironmentFile"][1:])):
            words = shlex.split(line)
            environment.update(dict(word.split("=", 1) for word in words))
        return environment

    def _file(self, path: str) -> list[str]:
        return Path(path).read_text().splitlines() if os.path.exists(path) else []

    def _command(self, line: str, environment: dict[str, str]) -> list[str]:
        words = []
        for word in line.split():
            words += environment.get(word[1:], "").split() if word.startswith("$") else [word]
        return words

    def _run(self, key: str, environment: dict[str, str]) -> None:
        line = self._service.get(key, "")
        if line:
            argv = self._command(line.removeprefix("-"), environment)
            if argv[0] == "/sbin/modprobe":
                argv[0] = "/rescue/modprobe"
                if not os.path.exists(argv[0]):
                    return  # no modules are needed
            status = subprocess.run(argv, env=environment, stdout=subprocess.DEVNULL).returncode
            allowed = (0, int(self._service.get("SuccessExitStatus", "0")))
            assert line.startswith("-") or status in allowed, (self.name, key, status)

    def _serve(self, environment: dict[str, str]) -> None:
        path = MACHINE / f"notify-{self.name}"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as word:
            word.bind(str(path))
            word.settimeout(READY_SECONDS)
            argv = self._command(self._service["ExecStart"], environment)
            argv += " ".join(self._file(str(MACHINE / "simulated" / self.name))).split()
            with open(MACHINE / "journal", "ab") as journal:
                process = subprocess.Popen(
                    argv, env=environment | {"NOTIFY_SOCKET": str(path)},
                    stdin=subprocess.DEVNULL, stdout=journal, stderr=journal, start_new_session=True,
                )  # fmt: skip
            while b"READY=1" not in word.recv(4096):
                pass
        self._running.write_text(str(process.pid))


def main(verb: str, *words: str) -> int:
    names = [word.removesuffix(".service") for word in words if not word.startswith("-")]
    units = [Unit(name) for name in names]
    if verb == "daemon-reload":
        return 0
    if verb == "is-active":
        print("\n".join("active" if unit.is_active() else "inactive" for unit in units))
        return 0 if all(unit.is_active() for unit in units) else 3
    assert verb in ("enable", "restart"), verb
    for unit in units:
        if verb == "restart":
            unit.stop()
        unit.start()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
