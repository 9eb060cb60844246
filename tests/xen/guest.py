"""Guests: made by Debian's xl, obeying through their data nodes."""

import shlex
from typing import NamedTuple

from tests.xen.dom0 import Dom0, Done

#: `xl create` to the guest's report in the store. About 12 s on two free cores.
START_LIMIT_S = 90
#: The order to shut down to the domain's end, hotplug scripts included.
STOP_LIMIT_S = 60

#: A bash function for dom0: until COMMAND ... succeeds, quietly, with pauses that start no process.
UNTIL = 'until_done() { until "$@" >/dev/null 2>&1; do read -r -t 0.2 <>/run/never || true; done; }\n'


#: For dom0: `home` is the folder of the domain made last; the store lists them in that order.
NEWEST = "home=/local/domain/$(xenstore-list /local/domain | tail -n 1)\n"


class Devices(NamedTuple):
    """What a guest gets.

    Attributes:
        disk: dom0's file behind xvda, made here (16 MiB); "" for none.
        address: of its vif on dom0's bridge (10.0.0.1/24); "" for no vif.
    """

    disk: str = ""
    address: str = ""


class Domain:
    """A running PV domain of xl's.

    Attributes:
        name: in xl and in the store.
        domid: its number.
        home: its folder in the store.
        start_s: from `xl create` to its report, if that was waited for, in seconds of dom0's clock.
    """

    def __init__(self, dom0: Dom0, name: str, config: str, *, wait: bool) -> None:
        """Create it; `wait` for its report, too. Raises dom0.Failed when that takes over START_LIMIT_S."""
        self.name = name
        self._dom0 = dom0
        path = f"/run/{name}.cfg"
        created = dom0.must(
            f"cat >{path} <<'END'\n{config}END\n"
            f"begin=$EPOCHREALTIME\nxl create {path}\n{NEWEST}"
            + (f"{UNTIL}until_done xenstore-read $home/data/state\n" if wait else "")
            + "echo; echo $begin $EPOCHREALTIME $home",
            START_LIMIT_S,
        )
        begin, end, self.home = created.splitlines()[-1].split()
        self.domid = int(self.home.rpartition("/")[2])
        self.start_s = float(end) - float(begin)

    def await_report(self) -> None:
        """Until it says in the store that it is up; Failed when that takes over START_LIMIT_S."""
        self._dom0.must(f"{UNTIL}until_done xenstore-read {self.home}/data/state", START_LIMIT_S)

    def await_console(self, text: str, limit_s: int = 30) -> None:
        """Until it has written `text` to its console; Failed when that takes over `limit_s`."""
        self._dom0.must(f"{UNTIL}until_done grep -aqF {shlex.quote(text)} {self._console}", limit_s)

    def console(self) -> str:
        """What it has written to its console."""
        return self._dom0.must(f"tr -d '\\r\\0' <{self._console}")

    @property
    def _console(self) -> str:
        return f"/var/log/xen/console/guest-{self.name}.log"

    def destroy(self) -> None:
        """Have it destroyed and wait for its end; Failed after STOP_LIMIT_S."""
        self._dom0.must(f"xl destroy {self.name}", STOP_LIMIT_S)
        self.await_end()

    def await_end(self) -> None:
        """Until xl knows it no more and its devices are gone; Failed after STOP_LIMIT_S."""
        self._dom0.must(
            f"gone() {{ ! xl domid {self.name} && ! xenstore-exists /libxl/{self.domid}; }}\n"
            f"{UNTIL}until_done gone",
            STOP_LIMIT_S,
        )


class Program(Domain):
    """A domain that is one small program (`bare/`), which does what its `act` says: see `bare/acts.c`."""

    def __init__(self, dom0: Dom0, name: str, act: str) -> None:
        lines = [f"kernel = '{dom0.images.program}'", f"extra = '{act}'", "memory = 8"]
        super().__init__(dom0, name, _config(name, lines), wait=True)


class Guest(Domain):
    """A running Linux that obeys commands."""

    def __init__(self, dom0: Dom0, name: str, devices: Devices, *, wait: bool = True) -> None:
        """As `Domain`."""
        self._orders = 0
        if devices.disk:
            dom0.must(f"truncate -s 16M {devices.disk}")
        super().__init__(dom0, name, _config(name, _linux(dom0, devices)), wait=wait)

    def obey(self, command: str, limit_s: int = 30) -> Done:
        """Have the guest run a shell command; its exit status and the end of its output.

        Raises dom0.Failed when it has not answered within `limit_s`.
        """
        self._orders += 1
        result = f"xenstore-read -R {self.home}/data/result"
        answered = f"answered() {{ {result} | grep -q '^{self._orders} '; }}\n"
        order = shlex.quote(f"{self._orders} {command}")
        answer = self._dom0.must(
            f"xenstore-write {self.home}/data/command {order}\n"
            f"{answered}{UNTIL}until_done answered\n{result}",
            limit_s,
        )
        head, _, output = answer.partition("\n")
        return Done(int(head.split()[1]), output.rstrip("\n"))

    def must(self, command: str, limit_s: int = 30) -> str:
        """The output of a command that has to succeed; AssertionError with it if not."""
        done = self.obey(command, limit_s)
        assert done.status == 0, f"{self.name}: {command}: status {done.status}: {done.output}"
        return done.output

    def plug_disk(self, image: str) -> None:
        """Give it dom0's file `image` (made here, 8 MiB) as xvdb; on return it has written to it."""
        self._dom0.must(f"truncate -s 8M {image}")
        self._dom0.must(f"xl block-attach {self.name} format=raw,vdev=xvdb,access=w,target={image}", 60)
        self.must(f"{_appears('-b /dev/xvdb')}; dd if=/dev/zero of=/dev/xvdb bs=64k count=4 && sync", 60)

    def unplug_disk(self) -> None:
        """Take xvdb away; on return it is gone in the guest, too."""
        self._dom0.must(f"xl block-detach {self.name} xvdb", 60)
        self.must("[ ! -b /dev/xvdb ]")

    def plug_interface(self, mac: str) -> None:
        """Give it eth1, on dom0's bridge; on return it is up."""
        self._dom0.must(f"xl network-attach {self.name} mac={mac} bridge=xenbr0", 60)
        self.must(f"{_appears('-d /sys/class/net/eth1')}; ip link set eth1 up", 60)

    def unplug_interface(self) -> None:
        """Take eth1 away; on return it is gone in the guest, too."""
        self._dom0.must(f"xl network-detach {self.name} 1", 60)
        self.must("[ ! -d /sys/class/net/eth1 ]")

    def save(self, file: str) -> None:
        """Into a file of dom0's; it runs no more."""
        self._dom0.must(f"xl save {self.name} {file}", START_LIMIT_S)

    def restore(self, file: str) -> None:
        """From that file, under another domid."""
        done = self._dom0.must(f"xl restore {file}\n{NEWEST}echo; echo $home", START_LIMIT_S)
        self.home = done.splitlines()[-1]
        self.domid = int(self.home.rpartition("/")[2])


def _appears(test: str) -> str:
    """For a guest's shell: until a test holds, or for ten seconds."""
    return f"for i in $(seq 50); do [ {test} ] && break; sleep 0.2; done"


def _config(name: str, lines: list[str]) -> str:
    common = [f"name = '{name}'", "type = 'pv'", "vcpus = 1", "on_crash = 'destroy'"]
    return "".join(f"{line}\n" for line in common + lines)


def _linux(dom0: Dom0, devices: Devices) -> list[str]:
    argument = f" address={devices.address}" if devices.address else ""
    lines = [
        f"kernel = '{dom0.images.kernel}'",
        f"ramdisk = '{dom0.images.guest}'",
        f"extra = 'console=hvc0 quiet{argument}'",
        "memory = 160",
    ]
    if devices.disk:
        lines.append(f"disk = ['format=raw,vdev=xvda,access=w,target={devices.disk}']")
    if devices.address:
        # The last byte of the address makes the MAC unique on the bridge.
        last = int(devices.address.rpartition(".")[2])
        lines.append(f"vif = ['mac=00:16:3e:01:02:{last:02x},bridge=xenbr0']")
    return lines
