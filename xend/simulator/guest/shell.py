"""What sits on a guest's console: a login that lets everybody in, and a shell that knows a few commands."""

from collections.abc import Callable

import trio

from xend.simulator.guest.console import Console
from xend.simulator.inbox import Inbox
from xend.simulator.machine import CRASH, POWEROFF, REBOOT, Machine
from xend.simulator.store_client import StoreClient, StoreError

#: The longest line that can be typed.
LINE_MAX = 256
_PROMPT = "$ "
_INTERRUPT, _END = "\x03", "\x04"
_ERASE = ("\x7f", "\b")

#: The files there are: directories by path, with the names in them.
TREE = {
    "/": ["bin", "dev", "etc", "home", "proc", "root", "tmp", "usr", "var"],
    "/bin": ["ls", "ps", "sh", "uptime", "xenstore-read"],
    "/dev": ["console", "null", "zero"],
    "/etc": ["hostname", "motd", "passwd"],
    "/home": [],
    "/proc": ["cmdline", "uptime", "xen"],
    "/root": [],
    "/tmp": [],
    "/usr": ["bin", "share"],
    "/usr/bin": [],
    "/usr/share": [],
    "/var": ["log", "run"],
    "/var/log": ["messages"],
    "/var/run": [],
}


class LogOut(Exception):
    """Whoever sits there has enough."""


class Shell:
    """name: of the domain.  inbox: where the kernel finds what it should do."""

    def __init__(
        self,
        machine: Machine,
        console: Console,
        store: StoreClient,
        inbox: Inbox,
        name: str,
    ) -> None:
        self._machine = machine
        self._console = console
        self._store = store
        self._inbox = inbox
        self._name = name
        self._typed: list[str] = []

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            user = ""
            while not user:
                user = (await self._line(f"\r\n{self._name} login: ") or "").strip()
            self._console.print(f"Welcome, {user}; try `help`.")
            await self._session()

    async def _session(self) -> None:
        try:
            while True:
                line = await self._line(_PROMPT)
                if line is None:
                    raise LogOut
                await self._execute(line.split())
                await self._console.drained()
        except LogOut:
            self._console.print("logout")

    # --- lines ------------------------------------------------------------------------------------------

    async def _line(self, prompt: str) -> str | None:
        """What was typed up to Return; None: the end of input on an empty line."""
        self._console.write(prompt)
        line = ""
        while True:
            key = await self._key()
            if key in "\r\n":
                self._console.write("\r\n")
                return line
            if key == _END and not line:
                self._console.write("\r\n")
                return None
            if key == _INTERRUPT:
                self._console.write("^C\r\n" + prompt)
                line = ""
            elif key in _ERASE:
                if line:
                    line = line[:-1]
                    self._console.write("\b \b")
            elif key.isprintable() and len(line) < LINE_MAX:
                line += key
                self._console.write(key)

    async def _key(self) -> str:
        while not self._typed:
            # Bytes that are no ASCII are taken one by one, as on any old terminal.
            self._typed = list((await self._console.read()).decode("latin-1"))
        return self._typed.pop(0)

    # --- commands ---------------------------------------------------------------------------------------

    async def _execute(self, words: list[str]) -> None:
        if not words:
            return
        command, arguments = words[0], words[1:]
        if command == "xenstore-read":
            await self._xenstore_read(arguments)
        elif command in _COMMANDS:
            _COMMANDS[command](self, arguments)
        else:
            self._console.print(f"{command}: not found; try `help`")

    def _help(self, arguments: list[str]) -> None:
        self._console.print(" ".join(sorted([*_COMMANDS, "xenstore-read"])))

    def _ls(self, arguments: list[str]) -> None:
        for path in arguments or ["/"]:
            place = "/" + path.strip("/")
            parent, _, name = place.rpartition("/")
            if place in TREE:
                self._console.print("  ".join(TREE[place]))
            elif name in TREE.get(parent or "/", ()):
                self._console.print(path)
            else:
                self._console.print(f"ls: {path}: No such file or directory")

    def _ps(self, arguments: list[str]) -> None:
        for line in (
            "  PID TTY      COMMAND",
            "    1 ?        init",
            "   12 console  sh",
            "   13 console  ps",
        ):
            self._console.print(line)

    def _uptime(self, arguments: list[str]) -> None:
        minutes, seconds = divmod(int(trio.current_time() - self._machine.booted_at), 60)
        hours, minutes = divmod(minutes, 60)
        self._console.print(
            f"up {hours}:{minutes:02}:{seconds:02}, {self._machine.memory_kib()} KiB of memory"
        )

    def _poweroff(self, arguments: list[str]) -> None:
        self._shut_down(POWEROFF)

    def _reboot(self, arguments: list[str]) -> None:
        self._shut_down(REBOOT)

    def _shut_down(self, reason: int) -> None:
        self._console.print("The system is going down")
        self._inbox.put("", f"own {reason}")

    def _crash(self, arguments: list[str]) -> None:
        self._console.print("panic: as you wish")
        self._machine.shutdown(CRASH)

    def _log_out(self, arguments: list[str]) -> None:
        raise LogOut

    async def _xenstore_read(self, arguments: list[str]) -> None:
        if not arguments:
            self._console.print("usage: xenstore-read PATH...")
        for path in arguments:
            try:
                self._console.print(await self._store.read(path))
            except StoreError as error:
                self._console.print(f"xenstore-read: {path}: {error.name}")


_COMMANDS: dict[str, Callable[[Shell, list[str]], None]] = {
    "help": Shell._help,
    "ls": Shell._ls,
    "ps": Shell._ps,
    "uptime": Shell._uptime,
    "poweroff": Shell._poweroff,
    "reboot": Shell._reboot,
    "crash": Shell._crash,
    "exit": Shell._log_out,
    "logout": Shell._log_out,
}
