"""Guests that are one small C program (`bare/`), under Debian's xl and Linux's backends.

They are what no Linux is: 32-bit with PAE, as the kernel of the HOWTO's own example; with NetBSD's disk and
network drivers and its way with control/shutdown; and what ends in ways that a guest seldom does.
"""

from collections.abc import Iterator

import pytest

from tests.xen.dom0 import Dom0
from tests.xen.guest import UNTIL, Domain
from tests.xen.userland import VERSION

pytestmark = [pytest.mark.xen, pytest.mark.ours]

XL_LIMIT_S = 120
#: From here on a status says that a signal ended the program.
SIGNALLED = 128

#: How a domain is made of the program of 64 bits, or of 32.  Debian builds Xen without CONFIG_PV32: there a
#: 32-bit PV kernel runs inside of Xen's PV shim only, a Xen of the guest's own.  The shim takes QEMU's
#: processor for an AMD K8 and dies of the workarounds for it, so it is shown another family.
KINDS = {
    64: ("type = 'pv'", "memory = 8"),
    32: ("type = 'pvh'", "pvshim = 1", "memory = 32", "cpuid = 'host,family=23,model=1'"),
}
#: Releases whose shim does not come so far, and what it says (seen; in the guest's console).
SHIMS_THAT_DIE = {"4.20": "Xen BUG at arch/x86/xstate.c:522"}


def xl(dom0: Dom0, arguments: str) -> None:
    """Debian's xl; Failed if it fails.

    Under emulation one process in some hundreds ends with a segmentation fault or a broken heap, whatever it
    does: it is started again, once.
    """
    dom0.must(f"xl {arguments} || {{ [ $? -ge {SIGNALLED} ] && xl {arguments}; }}", XL_LIMIT_S)


class Bare(Domain):
    """A running domain that is the program, with an act of `bare/acts.c` and more lines of configuration."""

    def __init__(self, dom0: Dom0, name: str, act: str, *lines: str, bits: int = 64) -> None:
        """As `Domain`."""
        kernel = {64: dom0.images.program, 32: dom0.images.program32}[bits]
        own = (f"name = '{name}'", f"kernel = '{kernel}'", f"extra = '{act}'", "vcpus = 1")
        config = "".join(f"{line}\n" for line in (*own, *KINDS[bits], *lines))
        super().__init__(dom0, name, config, wait=True)
        self.dom0 = dom0

    def read(self, node: str) -> str:
        """A node of its own in the store."""
        return self.dom0.must(f"xenstore-read {self.home}/{node}")

    def await_beat(self) -> None:
        """Until it has been through its main loop once more."""
        beat = f"{self.home}/data/beat"
        self.dom0.must(
            f"from=$(xenstore-read {beat})\nbeaten() {{ [ $(xenstore-read {beat}) -gt $from ]; }}\n"
            f"{UNTIL}until_done beaten",
            60,
        )


class NetBSD(Bare):
    """One that behaves as NetBSD's kernel, with a disk and an interface; it answers at `address`."""

    def __init__(self, dom0: Dom0, bits: int) -> None:
        self.bits = bits
        self.address = f"10.0.0.{bits}"
        self.disk = f"/run/netbsd-{bits}.img"
        dom0.must(f"truncate -s 16M {self.disk}")
        super().__init__(
            dom0,
            f"netbsd-{bits}",
            f"netbsd {self.address}",
            f"disk = ['format=raw,vdev=xvda,access=w,target={self.disk}']",
            f"vif = ['mac=00:16:3e:01:04:{bits:02x},bridge=xenbr0']",
            bits=bits,
        )

    def written_nodes(self, device: str, toolstacks: set[str]) -> set[str]:
        """The names in a device's folder that the toolstack did not write."""
        return set(self.dom0.must(f"xenstore-list {self.home}/device/{device}").split()) - toolstacks

    def ping(self, address: str) -> None:
        """From dom0; AssertionError if any of three is lost."""
        assert " 0% packet loss" in self.dom0.must(f"busybox ping -c 3 -W 20 {address}", 70)

    def await_line(self, line: str, times: int) -> None:
        """Until its console has had a line so many times."""
        count = f"grep -acF '{line}' /var/log/xen/console/guest-{self.name}.log"
        self.dom0.must(f"had() {{ [ $({count}) -ge {times} ]; }}\n{UNTIL}until_done had", 60)


#: What takes most of the time.
one_kind_every_day = pytest.mark.parametrize(
    "netbsd", [64, pytest.param(32, marks=pytest.mark.long)], indirect=True, ids=lambda bits: f"{bits}-bit"
)


@pytest.fixture(scope="module", params=KINDS, ids=lambda bits: f"{bits}-bit")
def netbsd(dom0: Dom0, request: pytest.FixtureRequest) -> NetBSD:
    """The last test of it ends it."""
    if request.param == 32 and VERSION in SHIMS_THAT_DIE:
        pytest.skip(
            f"Debian's PV shim of {VERSION} ends itself on QEMU's processor: {SHIMS_THAT_DIE[VERSION]}"
        )
    return NetBSD(dom0, request.param)


@pytest.fixture(scope="module", autouse=True)
def unsaved(dom0: Dom0) -> Iterator[Bare]:
    """One that is saved all the time: xl takes a minute to give up, in which the other tests run."""
    guest = Bare(dom0, "unsaved", "netbsd")
    dom0.must(
        f"(setsid bash -c 'xl save {guest.name} /run/unsaved.save; echo status $?' >/run/unsaved.out 2>&1 &)"
    )
    yield guest
    guest.destroy()


def test_this_xen_itself_runs_no_32_bit_pv_kernel(dom0: Dom0) -> None:
    """Or KINDS has to follow."""
    assert "xen-3.0-x86_32p" not in dom0.must("xl info xen_caps").split()
    config = f"name='refused'\ntype='pv'\nkernel='{dom0.images.program32}'\nmemory=8\n"
    refused = dom0.run(f"cat >/run/refused.cfg <<'END'\n{config}END\nxl create /run/refused.cfg", 60)
    assert refused.status != 0
    assert "x86_32p not supported" in refused.output


def test_netbsd_says_its_words_and_uses_its_disk(dom0: Dom0, netbsd: NetBSD) -> None:
    netbsd.await_console("bare: verified device/vbd/51712", 60)
    assert f"bare: bits {netbsd.bits}\n" in netbsd.console()
    reader = f"dd if={netbsd.disk} bs=512 skip=8 count=1 2>/dev/null | head -c 15"
    assert dom0.must(reader) == "written by bare"


def test_netbsd_is_pinged(netbsd: NetBSD) -> None:
    netbsd.await_console("bare: connected device/vif/0")
    netbsd.ping(netbsd.address)


def test_netbsds_frontends_write_what_its_drivers_write(netbsd: NetBSD) -> None:
    common = {"backend", "backend-id", "state", "trusted"}
    disk = common | {"virtual-device", "device-type"}
    assert netbsd.written_nodes("vbd/51712", disk) == {"ring-ref", "event-channel", "protocol"}
    assert netbsd.read("device/vbd/51712/protocol") == {64: "x86_64-abi", 32: "x86_32-abi"}[netbsd.bits]
    interface = common | {"handle", "mac", "mtu"}
    features = {"request-rx-copy", "feature-rx-notify", "feature-ipv6-csum-offload", "feature-sg"}
    rings = {"vifname", "tx-ring-ref", "rx-ring-ref", "event-channel"}
    assert netbsd.written_nodes("vif/0", interface) == rings | features
    for device in ("vbd/51712", "vif/0"):
        assert netbsd.read(f"device/{device}/state") == "4"


@one_kind_every_day
def test_a_disk_of_netbsds_comes_and_goes_in_use(dom0: Dom0, netbsd: NetBSD) -> None:
    image = f"/run/netbsd-{netbsd.bits}-hot.img"
    plug = f"block-attach {netbsd.name} format=raw,vdev=xvdb,access=w,target={image}"
    dom0.must(f"truncate -s 8M {image}")
    for times in (1, 2):
        xl(dom0, plug)
        netbsd.await_line("bare: verified device/vbd/51728", times)
        xl(dom0, f"block-detach {netbsd.name} xvdb")
        netbsd.await_line("bare: detached device/vbd/51728", times)
        assert dom0.run(f"xenstore-exists /local/domain/0/backend/vbd/{netbsd.domid}/51728").status != 0
    netbsd.await_beat()


@one_kind_every_day
def test_an_interface_of_netbsds_comes_and_goes(dom0: Dom0, netbsd: NetBSD) -> None:
    second = f"10.0.0.{netbsd.bits + 1}"
    mac = f"00:16:3e:01:05:{netbsd.bits:02x}"
    xl(dom0, f"network-attach {netbsd.name} mac={mac} bridge=xenbr0")
    netbsd.await_console("bare: connected device/vif/1")
    netbsd.ping(second)
    xl(dom0, f"network-detach {netbsd.name} 1")
    netbsd.await_console("bare: detached device/vif/1")
    assert dom0.run(f"xenstore-exists /local/domain/0/backend/vif/{netbsd.domid}/1").status != 0
    netbsd.ping(netbsd.address)


def test_netbsd_answers_suspend_and_never_suspends(dom0: Dom0, netbsd: NetBSD) -> None:
    """It can take away the request only if it owns the node, which it took away once already."""
    node = f"{netbsd.home}/control/shutdown"
    dom0.must(f"xenstore-write {node} suspend; xenstore-chmod {node} n{netbsd.domid}")
    dom0.must(f"gone() {{ ! xenstore-exists {node}; }}\n{UNTIL}until_done gone")
    netbsd.await_console("bare: ignores suspend")
    netbsd.await_beat()


@one_kind_every_day
def test_netbsd_reboots(dom0: Dom0, netbsd: NetBSD) -> None:
    xl(dom0, f"reboot {netbsd.name}")
    domid = f"xl domid {netbsd.name}"
    reborn = f"[ $({domid}) -gt {netbsd.domid} ] && xenstore-read /local/domain/$({domid})/data/beat"
    dom0.must(f"reborn() {{ {reborn}; }}\n{UNTIL}until_done reborn", XL_LIMIT_S)
    netbsd.domid = int(dom0.must(domid))
    netbsd.home = f"/local/domain/{netbsd.domid}"
    netbsd.await_line("bare: verified device/vbd/51712", 2)
    netbsd.await_line("bare: connected device/vif/0", 2)
    dom0.must("ip neigh flush all")
    netbsd.ping(netbsd.address)


def test_netbsd_powers_off_and_leaves_nothing(dom0: Dom0, netbsd: NetBSD) -> None:
    xl(dom0, f"shutdown -w {netbsd.name}")
    netbsd.await_end()
    left = dom0.must("xenstore-ls -f").splitlines()
    of_it = (f"/domain/{netbsd.domid}/", f"/vbd/{netbsd.domid}/", f"/vif/{netbsd.domid}/")
    assert [line for line in left if any(part in line.partition(" = ")[0] for part in of_it)] == []
    assert netbsd.disk not in dom0.must("busybox losetup -a")


@pytest.mark.parametrize(
    ("act", "reason"), [("poweroff", "0"), ("reboot", "1"), ("crash", "3")], ids=lambda word: word
)
def test_a_domain_that_ends_itself(dom0: Dom0, act: str, reason: str) -> None:
    kept = [f"on_{end} = 'preserve'" for end in ("poweroff", "reboot", "crash")]
    guest = Bare(dom0, f"bare-{act}", act, *kept)
    row = f"xl list -v | grep {guest.name}"
    dom0.must(f"ended() {{ {row} | grep -q -e '---s'; }}\n{UNTIL}until_done ended", 60)
    assert dom0.must(row).split()[-2] == reason
    guest.destroy()


def test_a_domain_that_ignores_shutdown(dom0: Dom0) -> None:
    """xl waits for an answer that never comes."""
    guest = Bare(dom0, "stubborn", "stubborn")
    dom0.must(f"(setsid timeout 60 xl shutdown {guest.name} >/dev/null 2>&1 &)")
    guest.await_console("bare: ignores poweroff", 60)
    assert guest.read("control/shutdown") == "poweroff"
    guest.destroy()


def test_netbsd_is_saved_by_nobody_and_runs_on(dom0: Dom0, unsaved: Bare) -> None:
    dom0.must(f"{UNTIL}until_done grep -q ^status /run/unsaved.out", XL_LIMIT_S)
    assert "status 0" not in dom0.must("cat /run/unsaved.out").splitlines()
    assert "bare: ignores suspend" in unsaved.console()
    assert unsaved.read("control/shutdown") == ""
    unsaved.await_beat()
