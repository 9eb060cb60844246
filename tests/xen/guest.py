"""Guests: made by Debian's xl or by ours, obeying through their data nodes."""

import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from tests.xen import manager
from tests.xen.dom0 import Dom0, Done

#: `xl create` to the guest's report in the store. About 12 s on two free cores.
START_LIMIT_S = 180
#: The order to shut down to the domain's end, hotplug scripts included.
STOP_LIMIT_S = 60

#: A bash function for dom0: until COMMAND ... succeeds, quietly, with pauses that start no process.
UNTIL = 'until_done() { until "$@" >/dev/null 2>&1; do read -r -t 0.2 <>/run/never || true; done; }\n'
#: For dom0: until the guest of $home says that it is up; one that has gone meanwhile is not waited for.
UP = """
until xenstore-read $home/data/state >/dev/null 2>&1; do
    xenstore-exists $home || { echo "the domain of $home has ended as it came up"; exit 1; }
    read -r -t 0.2 <>/run/never || true
done
"""


#: For dom0: `home` is the folder of the domain made last; the store lists them in that order.
NEWEST = "home=/local/domain/$(xenstore-list /local/domain | tail -n 1)\n"


#: What stands in a configuration, by its keys; None: nothing, though it usually does.
Value = str | int | list[str] | None
Settings = Mapping[str, Value]


class Toolstack(NamedTuple):
    """What makes and ends domains.

    Attributes:
        xl: the command.
        consoles: where a domain's console is recorded, with {} in the place of its name.
    """

    xl: str
    consoles: str


DEBIANS = Toolstack("xl", "/var/log/xen/console/guest-{}.log")
OURS = Toolstack(f"{manager.BIN}/xl", f"{manager.LOG}/console/{{}}.log")


class Devices(NamedTuple):
    """What a guest gets.

    Attributes:
        disk: dom0's file behind xvda, made here (16 MiB); "" for none.
        address: of its vif on dom0's bridge (10.0.0.1/24); "" for no vif.
    """

    disk: str = ""
    address: str = ""


NO_DEVICES = Devices()


class Domain:
    """A running domain.

    Attributes:
        name: in xl and in the store.
        domid: its number.
        home: its folder in the store.
        start_s: from `xl create` to its report, if that was waited for, in seconds of dom0's clock.
    """

    def __init__(
        self, dom0: Dom0, name: str, config: str, *, wait: bool, toolstack: Toolstack = DEBIANS
    ) -> None:
        """Create it; `wait` for its report, too. Raises dom0.Failed when that takes over START_LIMIT_S."""
        self.name = name
        self._dom0 = dom0
        self._toolstack = toolstack
        path = f"/run/{name}.cfg"
        created = dom0.must(
            f"cat >{path} <<'END'\n{config}END\n"
            f"begin=$EPOCHREALTIME\n{toolstack.xl} create {path}\n{NEWEST}"
            + (UP if wait else "")
            + "echo; echo $begin $EPOCHREALTIME $home",
            START_LIMIT_S,
        )
        begin, end, self.home = created.splitlines()[-1].split()
        self.domid = int(self.home.rpartition("/")[2])
        self.start_s = float(end) - float(begin)

    def xl(self, words: str, limit_s: int = 30) -> str:
        """What a command of its toolstack prints that succeeds; Failed if it does not, or takes longer."""
        return self._dom0.must(f"{self._toolstack.xl} {words}", limit_s)

    def await_report(self, limit_s: int = START_LIMIT_S) -> None:
        """Until it says in the store that it is up; Failed when that takes over `limit_s`."""
        self._dom0.must(f"{UNTIL}until_done xenstore-read {self.home}/data/state", limit_s)

    def await_console(self, text: str, limit_s: int = 30) -> None:
        """Until it has written `text` to its console; Failed when that takes over `limit_s`."""
        self._dom0.must(f"{UNTIL}until_done grep -aqF {shlex.quote(text)} {self._console}", limit_s)

    def console(self) -> str:
        """What it has written to its console."""
        return self._dom0.must(f"tr -d '\\r\\0' <{self._console}")

    @property
    def _console(self) -> str:
        return self._toolstack.consoles.format(self.name)

    def destroy(self) -> None:
        """Have it destroyed and wait for its end; Failed after STOP_LIMIT_S."""
        self.xl(f"destroy {self.name}", STOP_LIMIT_S)
        self.await_end()

    def await_end(self) -> None:
        """Until xl knows it no more and its devices are gone; Failed after STOP_LIMIT_S."""
        known = f"{self._toolstack.xl} domid {self.name}"
        self._dom0.must(
            f"gone() {{ ! xenstore-exists /libxl/{self.domid} && ! {known}; }}\n{UNTIL}until_done gone",
            STOP_LIMIT_S,
        )


class Program(Domain):
    """A domain that is one small program (`bare/`), which does what its `act` says: see `bare/acts.c`."""

    def __init__(self, dom0: Dom0, name: str, act: str, toolstack: Toolstack = DEBIANS) -> None:
        settings: Settings = {"kernel": str(dom0.images.program), "extra": act, "memory": 8}
        super().__init__(dom0, name, _config(name, settings), wait=True, toolstack=toolstack)


class Guest(Domain):
    """A running Linux that obeys commands."""

    def __init__(
        self,
        dom0: Dom0,
        name: str,
        devices: Devices,
        *,
        wait: bool = True,
        toolstack: Toolstack = DEBIANS,
        settings: Settings = MappingProxyType({}),
    ) -> None:
        """As `Domain`; settings: what its configuration says besides, or instead."""
        self._orders = 0
        if devices.disk:
            dom0.must(f"truncate -s 16M {devices.disk}")
        config = linux(dom0, name, devices, settings)
        super().__init__(dom0, name, config, wait=wait, toolstack=toolstack)

    def obey(self, command: str, limit_s: int = 30) -> Done:
        """Have the guest run a shell command; its exit status and the end of its output.

        Raises dom0.Failed when it has not answered within `limit_s`.
        """
        self.order(command)
        result = f"xenstore-read -R {self.home}/data/result"
        answered = f"answered() {{ {result} | grep -q '^{self._orders} '; }}\n"
        answer = self._dom0.must(f"{answered}{UNTIL}until_done answered\n{result}", limit_s)
        head, _, output = answer.partition("\n")
        return Done(int(head.split()[1]), output.rstrip("\n"))

    def order(self, command: str) -> None:
        """Have the guest run a shell command, whose end is not waited for."""
        self._orders += 1
        order = shlex.quote(f"{self._orders} {command}")
        self._dom0.must(f"xenstore-write {self.home}/data/command {order}")

    def is_still(self, seconds: int = 2) -> bool:
        """Whether it does nothing of what it is ordered, for so long."""
        self.order("true")
        answered = f"xenstore-read -R {self.home}/data/result | grep -q '^{self._orders} '"
        return self._dom0.run(f"sleep {seconds}; {answered}").status != 0

    def await_next_life(self, limit_s: int = START_LIMIT_S) -> None:
        """Until it is up again under another domid; Failed when that takes over `limit_s`."""
        self._orders = 0
        # By the store: each xl costs a second of the processor that the domain's start wants.
        again = (
            f'again() {{ {NEWEST}[ ${{home##*/}} != {self.domid} ] && [ "$(xenstore-read $home/name)" = '
            f"{self.name} ] && xenstore-exists $home/data/state; }}\n{UNTIL}until_done again\n"
        )
        home = self._dom0.must(f"{again}{self._toolstack.xl} domid {self.name}\necho $home", limit_s)
        self.home = home.splitlines()[-1]
        self.domid = int(self.home.rpartition("/")[2])

    def must(self, command: str, limit_s: int = 30) -> str:
        """The output of a command that has to succeed; AssertionError with it if not."""
        done = self.obey(command, limit_s)
        assert done.status == 0, f"{self.name}: {command}: status {done.status}: {done.output}"
        return done.output

    def pings(self, address: str) -> bool:
        """Whether three pings are all answered.

        Each is a program of its own: once one was answered, busybox's waits for no later one longer than a
        second, whatever -W says.  Under emulation a process in some hundreds ends with a fault: a ping that
        says nothing is sent again.
        """
        one = f"until ping -c 1 -W 10 {address} | grep 'packet loss'; do :; done"
        return self.obey(f"for n in 1 2 3; do {one}; done", 60).output.count(", 0% packet loss") == 3

    def plug_disk(self, image: str, device: str = "xvdb") -> None:
        """Give it dom0's file `image` (made here, 8 MiB); on return it has written to it."""
        self._dom0.must(f"truncate -s 8M {image}")
        self.xl(f"block-attach {self.name} format=raw,vdev={device},access=w,target={image}", 60)
        node = f"/dev/{device}"
        self.must(f"{_appears(f'-b {node}')}; dd if=/dev/zero of={node} bs=64k count=4 && sync", 60)

    def unplug_disk(self, device: str = "xvdb") -> None:
        """Take it away; on return it is gone in the guest, too."""
        self.xl(f"block-detach {self.name} {device}", 60)
        self.must(f"[ ! -b /dev/{device} ]")

    def plug_interface(self, mac: str, number: int = 1) -> None:
        """Give it eth`number`, on dom0's bridge; on return it is up."""
        self.xl(f"network-attach {self.name} mac={mac} bridge=xenbr0", 60)
        name = f"eth{number}"
        self.must(f"{_appears(f'-d /sys/class/net/{name}')}; ip link set {name} up", 60)

    def unplug_interface(self, number: int = 1) -> None:
        """Take it away; on return it is gone in the guest, too."""
        self.xl(f"network-detach {self.name} {number}", 60)
        self.must(f"[ ! -d /sys/class/net/eth{number} ]")

    def save(self, file: str) -> None:
        """Into a file of dom0's; it runs no more."""
        self.xl(f"save {self.name} {file}", START_LIMIT_S)

    def restore(self, file: str) -> None:
        """From that file, under another domid."""
        done = self.xl(f"restore {file}\n{NEWEST}echo; echo $home", START_LIMIT_S)
        self.home = done.splitlines()[-1]
        self.domid = int(self.home.rpartition("/")[2])


def _appears(test: str) -> str:
    """For a guest's shell: until a test holds, or for ten seconds."""
    return f"for i in $(seq 50); do [ {test} ] && break; sleep 0.2; done"


def linux(
    dom0: Dom0, name: str, devices: Devices = NO_DEVICES, settings: Settings = MappingProxyType({})
) -> str:
    """The configuration of a Linux that obeys; settings: as `Guest`."""
    return _config(name, {**_linux(dom0, devices), **settings})


def _config(name: str, settings: Settings) -> str:
    common: Settings = {"name": name, "type": "pv", "vcpus": 1, "on_crash": "destroy"}
    lines = {**common, **settings}.items()
    return "".join(f"{key} = {value!r}\n" for key, value in lines if value is not None)


def _linux(dom0: Dom0, devices: Devices) -> Settings:
    argument = f" address={devices.address}" if devices.address else ""
    settings: dict[str, Value] = {
        "kernel": str(dom0.images.kernel),
        "ramdisk": str(dom0.images.guest),
        "extra": f"console=hvc0 quiet{argument}",
        "memory": 160,
    }
    if devices.disk:
        settings["disk"] = [f"format=raw,vdev=xvda,access=w,target={devices.disk}"]
    if devices.address:
        # The last byte of the address makes the MAC unique on the bridge.
        last = int(devices.address.rpartition(".")[2])
        settings["vif"] = [f"mac=00:16:3e:01:02:{last:02x},bridge=xenbr0"]
    return settings
