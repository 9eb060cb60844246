"""Linux and NetBSD as dom0, each on a kernel with its rules: events, pages, domains, what is missing."""

import errno
import re
import uuid

import pytest

from tests.unit.platform.conftest import KINDS
from tests.unit.platform.kernel import Domain, Kernel, LinuxKernel, NetBSDKernel
from xenstore._pump import Pump
from xenstore.daemon.locks import Held
from xenstore.platform import DomainState, Page, PlatformError, Unavailable, cpupools
from xenstore.platform import linux as linux_host
from xenstore.platform import netbsd as netbsd_host
from xenstore.platform.xen import XenPlatform
from xenstore.server.rings import Rings
from xenstore.store import Store

DYING, SHUTDOWN = 1, 4


def view(page: Page) -> memoryview:
    return memoryview(page)  # type: ignore[arg-type]


def number(direction: int, group: str, nr: int, size: int) -> int:
    """NetBSD's _IOC: void 0x2, out 0x4, in 0x8."""
    return direction << 28 | size << 16 | ord(group) << 8 | nr


@pytest.mark.parametrize(
    ("host", "name", "expected"),
    [
        # linux/include/uapi/xen: _IOC(_IOC_NONE, group, nr, size)
        (linux_host, "EVTCHN_BIND_VIRQ", number(0, "E", 0, 4)),
        (linux_host, "EVTCHN_BIND_INTERDOMAIN", number(0, "E", 1, 8)),
        (linux_host, "EVTCHN_UNBIND", number(0, "E", 3, 4)),
        (linux_host, "EVTCHN_NOTIFY", number(0, "E", 4, 4)),
        (linux_host, "EVTCHN_RESET", number(0, "E", 5, 0)),
        (linux_host, "PRIVCMD_HYPERCALL", number(0, "P", 0, 48)),
        (linux_host, "PRIVCMD_MMAPBATCH_V2", number(0, "P", 4, 32)),
        (linux_host, "GNTDEV_MAP_GRANT_REF", number(0, "G", 0, 24)),
        (linux_host, "GNTDEV_UNMAP_GRANT_REF", number(0, "G", 1, 16)),
        (linux_host, "XENBUS_BACKEND_EVTCHN", number(0, "B", 0, 0)),
        # sys/arch/xen/include/xenio3.h, xenio.h: _IOWR, _IOW, _IO
        (netbsd_host, "EVTCHN_BIND_VIRQ", number(0xC, "E", 4, 8)),
        (netbsd_host, "EVTCHN_BIND_INTERDOMAIN", number(0xC, "E", 5, 12)),
        (netbsd_host, "EVTCHN_UNBIND", number(8, "E", 7, 4)),
        (netbsd_host, "EVTCHN_NOTIFY", number(8, "E", 8, 4)),
        (netbsd_host, "EVTCHN_RESET", number(2, "E", 9, 0)),
        (netbsd_host, "PRIVCMD_HYPERCALL", number(0xC, "P", 0, 56)),
        (netbsd_host, "PRIVCMD_MMAPBATCH_V2", number(8, "P", 6, 32)),
        (netbsd_host, "GNTDEV_MMAP_GRANT_REF", number(8, "P", 8, 40)),
    ],
)
def test_ioctl_numbers(host: object, name: str, expected: int) -> None:
    assert getattr(host, name) == expected


class TestEvents:
    def test_an_event_is_silent_until_unmasked(self, kernel: Kernel, platform: XenPlatform) -> None:
        kernel.domains[5] = Domain()
        port = platform.bind_interdomain(5, 7)
        assert kernel.bound == {port: (5, 7)}
        assert platform.channels.pending() == []
        kernel.fire(port)
        kernel.fire(port)
        assert platform.channels.pending() == [port]
        kernel.fire(port)
        assert platform.channels.pending() == []
        platform.channels.unmask([port])
        kernel.fire(port)
        assert platform.channels.pending() == [port]

    def test_notify_and_unbind(self, kernel: Kernel, platform: XenPlatform) -> None:
        port = platform.bind_interdomain(0, Kernel.OWN_PORT)
        platform.channels.notify(port)
        assert kernel.notified == [port]
        platform.unbind(port)
        assert kernel.bound == {}

    def test_events_lost_to_an_overflow_are_made_up(self, kernel: Kernel, platform: XenPlatform) -> None:
        kernel.overflow = True
        assert platform.channels.pending() is None
        assert platform.channels.pending() == []

    def test_closing_gives_all_ports_back(self, kernel: Kernel, kind: str) -> None:
        platform = KINDS[kind][1](Held(), kernel)
        platform.bind_domain_changes()
        platform.close()
        assert kernel.bound == {}
        assert kernel.files == {}

    def test_another_xenstored_goes_on_with_the_descriptor_and_its_ports(
        self, kernel: Kernel, kind: str
    ) -> None:
        """As after a live update: what else was open is closed by exec."""
        kernel.domains[5] = Domain()
        before = KINDS[kind][1](Held(), kernel)
        port, changes = before.bind_interdomain(5, 7), before.bind_domain_changes()
        before.unbind(changes)
        for fd in list(kernel.files):
            if fd != before.fileno():
                kernel.close(fd)
        after = KINDS[kind][1](Held(), kernel, before.fileno())
        after.adopt(port)
        after.bind_domain_changes()
        kernel.fire(port)
        assert after.channels.pending() == [port]
        after.channels.notify(port)
        assert kernel.notified == [port]
        after.close()
        assert kernel.files == {}

    @pytest.mark.parametrize(
        ("domid", "port", "number"), [(9, 7, errno.ESRCH), (0, 99, errno.EINVAL)], ids=["domain", "port"]
    )
    def test_a_port_that_is_not_there(
        self, kernel: Kernel, platform: XenPlatform, domid: int, port: int, number: int
    ) -> None:
        with pytest.raises(PlatformError, match=f"port {port} of domain {domid} cannot be bound") as caught:
            platform.bind_interdomain(domid, port)
        assert caught.value.errno == number

    @pytest.mark.parametrize(
        ("number", "text"), [(errno.EEXIST, "stop the other xenstored"), (errno.EPERM, "must run there")]
    )
    def test_domain_changes_are_somebody_elses(
        self, kernel: Kernel, platform: XenPlatform, number: int, text: str
    ) -> None:
        kernel.virq_taken = number
        with pytest.raises(PlatformError, match=f"VIRQ_DOM_EXC.*{text}") as caught:
            platform.bind_domain_changes()
        assert caught.value.errno == number


class TestPages:
    def test_by_grant(self, kernel: Kernel, platform: XenPlatform) -> None:
        kernel.domains[5] = Domain()
        page = platform.map_page(5, 0)
        with view(page) as seen:
            seen[100] = 9
        assert kernel.domains[5].page[100] == 9
        platform.unmap_page(page)
        assert getattr(kernel, "grants", {}) == {}

    def test_by_frame_where_no_grant_is_seeded(self, kernel: Kernel, platform: XenPlatform) -> None:
        kernel.domains[5] = Domain(grant=False)
        page = platform.map_page(5, 0xABC)
        kernel.domains[5].page[200] = 7
        with view(page) as seen:
            assert seen[200] == 7
        platform.unmap_page(page)
        assert getattr(kernel, "grants", {}) == {}

    def test_neither(self, kernel: Kernel, platform: XenPlatform) -> None:
        kernel.domains[5] = Domain(grant=False)
        text = "domain 5's store page cannot be mapped: grant reference 1: .*; frame 0xdef: "
        with pytest.raises(PlatformError, match=text) as caught:
            platform.map_page(5, 0xDEF)
        assert caught.value.errno == errno.EINVAL
        # The page of arguments is left; each that was made for the mapping is unmapped again.
        assert sum(memory.address != 0 for memory in kernel.made) == 1

    def test_no_frame_is_not_frame_0(self, kernel: Kernel, platform: XenPlatform) -> None:
        kernel.domains[5] = Domain(grant=False)
        kernel.domains[5].gfn = 0
        with pytest.raises(PlatformError, match=r"grant reference 1: [^;]*$"):
            platform.map_page(5, 0)

    def test_dom0s_own(self, kernel: Kernel, platform: XenPlatform) -> None:
        own = platform.map_own_page()
        assert own is not None
        page, port = own
        assert port == Kernel.OWN_PORT
        with view(page) as seen:
            seen[0] = 1
        assert kernel.domains[0].page[0] == 1
        platform.unmap_page(page)


class TestDomains:
    def test_states(self, kernel: Kernel, platform: XenPlatform) -> None:
        kernel.domains |= {1: Domain(), 7: Domain(SHUTDOWN | 1 << 16), 300: Domain(DYING | SHUTDOWN)}
        assert platform.domains() == {
            0: DomainState(0, False, False),
            1: DomainState(0, False, False),
            7: DomainState(0, True, False),
            300: DomainState(0, True, True),
        }

    def test_a_new_owner_of_a_domid_is_told_from_the_one_before(
        self, kernel: Kernel, kind: str, platform: XenPlatform
    ) -> None:
        """Before Xen 4.21: by its UUID, whatever becomes of it, and whoever asks."""
        kernel.domains[5] = domain = Domain()
        domain.handle = uuid.UUID(int=1 << 64 | 6).bytes
        unique = platform.domains()[5].unique
        assert 0 < unique < 1 << 64
        domain.flags = SHUTDOWN | DYING
        restarted = KINDS[kind][1](Held(), kernel)
        assert restarted.domains()[5].unique == unique
        restarted.close()
        domain.handle = uuid.UUID(int=1 << 64 | 7).bytes
        assert platform.domains()[5].unique not in (0, unique)

    def test_dom0s_identity_is_not_its_uuid(self, kernel: Kernel, platform: XenPlatform) -> None:
        """xen-init-dom0 may give it another."""
        kernel.domains[0].handle = bytes(range(16))
        assert platform.domains()[0].unique == 0

    @pytest.mark.parametrize(("version", "known"), [(0x9, False), (0xA, True)])
    def test_before_xen_4_3_the_handle_is_elsewhere(
        self, kernel: Kernel, kind: str, version: int, known: bool
    ) -> None:
        kernel.interface_version = version
        kernel.domains[5] = Domain()
        kernel.domains[5].handle = bytes(range(16))
        platform = KINDS[kind][1](Held(), kernel)
        assert bool(platform.domains()[5].unique) is known
        platform.close()

    def test_since_xen_4_21_the_hypervisor_numbers_domains(self, kernel: Kernel, kind: str) -> None:
        kernel.interface_version = 0x17
        kernel.domains |= {5: Domain(), 6: Domain()}
        for domain, number in zip(kernel.domains.values(), (1, 2**64 - 1, 7), strict=True):
            domain.number = number
            domain.handle = b"x" * 16
        platform = KINDS[kind][1](Held(), kernel)
        assert [state.unique for state in platform.domains().values()] == [1, 2**64 - 1, 7]
        platform.close()

    def test_a_hypervisor_that_tells_no_number_is_asked_for_the_handle(
        self, kernel: Kernel, kind: str
    ) -> None:
        kernel.interface_version = 0x17
        kernel.domctl_refused = errno.EPERM
        kernel.domains[5] = Domain()
        kernel.domains[5].handle = bytes(range(16))
        platform = KINDS[kind][1](Held(), kernel)
        assert platform.domains()[5].unique != 0
        platform.close()

    def test_the_last_domid(self, kernel: Kernel, platform: XenPlatform) -> None:
        kernel.domains[0x7FEF] = Domain()
        assert list(platform.domains()) == [0, 0x7FEF]

    @pytest.mark.parametrize("version", [0x6, 0x12, 0x15, 0x1A])
    def test_the_hypervisors_version_is_found_once(self, kernel: Kernel, kind: str, version: int) -> None:
        kernel.interface_version = version
        platform = KINDS[kind][1](Held(), kernel)
        kernel.versions_asked.clear()
        platform.domains()
        assert set(kernel.versions_asked) == {version}
        platform.close()

    def test_a_hypervisor_nobody_knows(self, kernel: Kernel, kind: str) -> None:
        kernel.interface_version = 0x1000
        with pytest.raises(Unavailable, match="no sysctl interface version of 0x6 to 0x3f"):
            KINDS[kind][1](Held(), kernel)
        assert kernel.files == {}

    def test_a_hypervisor_that_refuses(self, kernel: Kernel, kind: str) -> None:
        kernel.sysctl_refused = errno.EPERM
        with pytest.raises(Unavailable, match=r"the tools' questions .*only a program in dom0"):
            KINDS[kind][1](Held(), kernel)
        assert kernel.files == {}


class TestStorePorts:
    """Of domains that run already when the store starts."""

    def test_the_first_of_a_paravirtual_domain(self, kernel: Kernel, platform: XenPlatform) -> None:
        kernel.domains[5] = Domain()
        kernel.domains[5].ports = {1, 2}
        assert platform.store_port(5) == 1

    @pytest.mark.parametrize(
        ("state", "other"), [(2, 0), (1, 3), (4, 0)], ids=["connected", "another domain's", "a virq"]
    )
    def test_the_first_is_not_open_for_dom0(
        self, kernel: Kernel, platform: XenPlatform, state: int, other: int
    ) -> None:
        kernel.domains[5] = Domain()
        kernel.domains[5].other_ports = {1: (state, other)}
        kernel.domains[5].ports = {2}
        assert platform.store_port(5) is None

    def test_none_is_in_use(self, kernel: Kernel, platform: XenPlatform) -> None:
        kernel.domains[5] = Domain()
        kernel.domains[5].ports = set()
        assert platform.store_port(5) is None

    def test_a_fully_virtualised_domain_has_it_among_its_parameters(
        self, kernel: Kernel, platform: XenPlatform
    ) -> None:
        kernel.domains[5] = Domain()
        kernel.domains[5].ports = {1, 40}
        kernel.domains[5].store_parameter = 40
        assert platform.store_port(5) == 40
        kernel.domains[5].ports = {1}
        assert platform.store_port(5) is None
        kernel.domains[5].store_parameter = 5000
        assert platform.store_port(5) is None

    def test_of_a_domain_that_has_gone(self, platform: XenPlatform) -> None:
        assert platform.store_port(9) is None

    def test_a_port_found_can_be_bound_once(self, kernel: Kernel, platform: XenPlatform) -> None:
        kernel.domains[5] = Domain()
        kernel.domains[5].ports = {1}
        port = platform.store_port(5)
        assert port is not None
        platform.bind_interdomain(5, port)
        assert platform.store_port(5) is None


class TestCpupools:
    def test_all_are_listed(self, kernel: Kernel, kind: str) -> None:
        kernel.cpupools = [0, 3, 4]
        assert cpupools.of_this_host(kernel, kind) == [0, 3, 4]
        assert kernel.files == {}

    def test_a_host_without_xen_has_one(self, kernel: Kernel, kind: str) -> None:
        kernel.missing |= kernel.PATHS
        assert cpupools.of_this_host(kernel, kind) == [0]
        assert cpupools.of_this_host(kernel, "plan9") == [0]

    def test_a_hypervisor_that_refuses(self, kernel: Kernel, kind: str) -> None:
        kernel.sysctl_refused = errno.EPERM
        with pytest.raises(Unavailable, match="only a program in dom0"):
            cpupools.of_this_host(kernel, kind)
        assert kernel.files == {}


class TestMissing:
    @pytest.mark.parametrize(
        ("path", "remedy"),
        [
            ("/dev/xen/evtchn", "modprobe xen-evtchn"),
            ("/dev/xen/gntdev", "modprobe xen-gntdev"),
            ("/dev/xen/privcmd", "modprobe xen-privcmd"),
            ("/dev/xenevt", "MAKEDEV xen"),
            ("/kern/xen/privcmd", "mount -t kernfs"),
        ],
    )
    def test_a_device(self, path: str, remedy: str, kind: str, kernel: Kernel) -> None:
        if path not in kernel.PATHS:
            pytest.skip("the other system's")
        kernel.missing.add(path)
        with pytest.raises(Unavailable, match=f"{re.escape(path)}: No such file.*{remedy}"):
            KINDS[kind][1](Held(), kernel)
        kernel.denied[path] = errno.EACCES
        with pytest.raises(Unavailable, match="must run as root"):
            KINDS[kind][1](Held(), kernel)
        assert kernel.files == {}

    def test_hypercall_buffers_of_an_old_linux(self, kernel: Kernel, kind: str) -> None:
        kernel.missing.add("/dev/xen/hypercall")
        platform = KINDS[kind][1](Held(), kernel)
        assert list(platform.domains()) == [0]
        platform.close()

    def test_memory_for_hypercalls_in_whole_pages(self, kernel: Kernel, kind: str) -> None:
        hypercalls = KINDS[kind][1].devices.hypercalls(kernel)
        memory = hypercalls.allocate(5000)
        with memoryview(memory) as seen:
            assert len(seen) == 8192
        assert kernel.reaches(memory.address, 8192)
        memory.close()
        hypercalls.close()

    def test_memory_that_cannot_be_locked(self, kernel: Kernel, kind: str) -> None:
        kernel.missing.add("/dev/xen/hypercall")
        hypercalls = KINDS[kind][1].devices.hypercalls(kernel)
        kernel.lock_refused = errno.ENOMEM
        with pytest.raises(Unavailable, match=r"8 KiB .* cannot be locked .*run as root.*RLIMIT_MEMLOCK"):
            hypercalls.allocate(8192)
        hypercalls.close()
        with pytest.raises(Unavailable, match="4 KiB for hypercalls"):
            KINDS[kind][1].devices.hypercalls(kernel)
        assert kernel.files == {}

    def test_linux_without_xenfs(self, kernel: Kernel, platform: XenPlatform) -> None:
        if not isinstance(kernel, LinuxKernel):
            pytest.skip("Linux's")
        kernel.missing.add("/proc/xen/xsd_port")
        own = platform.map_own_page()
        assert own is not None
        assert own[1] == Kernel.OWN_PORT
        kernel.missing.add("/dev/xen/xenbus_backend")
        with pytest.raises(PlatformError, match="mount -t xenfs"):
            platform.map_own_page()

    @pytest.mark.parametrize(
        ("path", "remedy"), [("/dev/xsd_kva", "MAKEDEV"), ("/kern/xen/xsd_port", "kernfs")]
    )
    def test_netbsds_own_page(self, kernel: Kernel, platform: XenPlatform, path: str, remedy: str) -> None:
        if not isinstance(kernel, NetBSDKernel):
            pytest.skip("NetBSD's")
        kernel.missing.add(path)
        with pytest.raises(PlatformError, match=f"{path}: .*{remedy}"):
            platform.map_own_page()


class TestRings:
    """The store on such a host."""

    def test_dom0s_kernel_is_told_at_start_and_served(self, kernel: Kernel, platform: XenPlatform) -> None:
        """Without that first notification NetBSD's kernel would never attach a backend."""
        log: list[str] = []
        rings = Rings(platform, log.append)
        pump = Pump(Store(hypervisor=rings))
        rings.start(pump.store, pump)
        (port,) = [port for port, other in kernel.bound.items() if other == (0, Kernel.OWN_PORT)]
        assert kernel.notified == [port]
        request = b"\x02\0\0\0" + bytes(8) + b"\x02\0\0\0/\0"
        page = kernel.domains[0].page
        page[: len(request)] = request
        page[2052] = len(request)
        kernel.fire(port)
        assert pump.turn(10)
        assert page[2048] == len(request)
        assert page[1024:1025] == b"\x02"
        assert kernel.masked == set()
        assert log == []
        rings.stop()
        pump.close()
        assert kernel.files == {}
