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


class Devices(NamedTuple):
    """What a guest gets.

    Attributes:
        disk: dom0's file behind xvda, made here (16 MiB); "" for none.
        address: of its vif on dom0's bridge (10.0.0.1/24); "" for no vif.
    """

    disk: str = ""
    address: str = ""


NO_DEVICES = Devices()


class Guest:
    """A running PV guest.

    Attributes:
        name: in xl and in the store.
        domid: its number.
        home: its folder in the store.
    """

    def __init__(self, dom0: Dom0, name: str, devices: Devices = NO_DEVICES) -> None:
        """Create it and wait for its report. Raises dom0.Failed when that takes over START_LIMIT_S."""
        self.name = name
        self._dom0 = dom0
        self._orders = 0
        config = f"/run/{name}.cfg"
        make_disk = f"truncate -s 16M {devices.disk}\n" if devices.disk else ""
        dom0.must(f"cat >{config} <<'END'\n{_config(dom0, name, devices)}END\n{make_disk}")
        dom0.must(f"xl create {config}", START_LIMIT_S)
        self._find()
        dom0.must(f"{UNTIL}until_done xenstore-read {self.home}/data/state", START_LIMIT_S)

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

    def await_console(self, text: str) -> None:
        """Until it has written `text` to its console; Failed when that takes over 30 s."""
        log = f"/var/log/xen/console/guest-{self.name}.log"
        self._dom0.must(f"{UNTIL}until_done grep -aqF {shlex.quote(text)} {log}")

    def save(self, file: str) -> None:
        """Into a file of dom0's; it runs no more."""
        self._dom0.must(f"xl save {self.name} {file}", START_LIMIT_S)

    def restore(self, file: str) -> None:
        """From that file, under another domid."""
        self._dom0.must(f"xl restore {file}", START_LIMIT_S)
        self._find()

    def _find(self) -> None:
        self.domid = int(self._dom0.must(f"xl domid {self.name}"))
        self.home = f"/local/domain/{self.domid}"

    def await_end(self) -> None:
        """Until xl knows it no more and its devices are gone; Failed after STOP_LIMIT_S."""
        self._dom0.must(
            f"gone() {{ ! xl domid {self.name} && ! xenstore-exists /libxl/{self.domid}; }}\n"
            f"{UNTIL}until_done gone",
            STOP_LIMIT_S,
        )


def _config(dom0: Dom0, name: str, devices: Devices) -> str:
    images = dom0.images
    argument = f" address={devices.address}" if devices.address else ""
    lines = [
        f"name = '{name}'",
        "type = 'pv'",
        f"kernel = '{images.kernel}'",
        f"ramdisk = '{images.guest}'",
        f"extra = 'console=hvc0 quiet{argument}'",
        "memory = 160",
        "vcpus = 1",
        "on_crash = 'destroy'",
    ]
    if devices.disk:
        lines.append(f"disk = ['format=raw,vdev=xvda,access=w,target={devices.disk}']")
    if devices.address:
        # The last byte of the address makes the MAC unique on the bridge.
        last = int(devices.address.rpartition(".")[2])
        lines.append(f"vif = ['mac=00:16:3e:01:02:{last:02x},bridge=xenbr0']")
    return "".join(f"{line}\n" for line in lines)
