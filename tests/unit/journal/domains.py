"""A host whose domains outlive the store: what a kill and a restart are on it."""

import os
from collections.abc import Mapping
from pathlib import Path

from tests.unit.journal.place import release
from tests.unit.server.host import Host, World
from tests.unit.store.client import Client
from xenstore import stream
from xenstore._pump import Pump
from xenstore.image import capture, restore
from xenstore.platform import DomainState
from xenstore.server.options import parse
from xenstore.server.recovery import begin_journal, open_journal
from xenstore.server.rings import Rings
from xenstore.store import Store


class LastingWorld(World):
    """A `World` with a journal below `rundir`; its domains have identities."""

    def __init__(self, rundir: Path, *domids: int, running: Mapping[int, int | None] | None = None) -> None:
        self._rundir = rundir
        self.host = Host(*domids, *(running or {}))
        self.host.known_ports = dict(running or {})
        self.host.states = {domid: DomainState(1000 + domid, False, False) for domid in self.host.guests}
        self.log = []
        self.begin()
        for domid in domids:
            self.give_home(domid)
            self.introduce(domid)

    def begin(self, *options: str) -> None:
        """A store begins, as the journal says."""
        self.rings = Rings(self.host, self.log.append)
        self.store = Store(hypervisor=self.rings)
        self.store.log = self.log.append
        self.pump = Pump(self.store)
        self.pump.log = self.log.append
        given = parse(["--rundir", str(self._rundir), *options], {})
        self.journal = open_journal(given, self.store, self.rings, self.log.append)
        self.rings.start(self.store, self.pump)
        self.dom0 = Client(self.store.connect())

    def kill(self) -> None:
        """The store ends; the domains, their pages and what fired meanwhile stay."""
        release(self.journal, self.store)
        for link in self.rings._links.values():
            link.release()
        self.pump.close()
        self.host.close()
        self.host._fds = os.pipe()
        self.host.bound.clear()
        self.host.mapped.clear()

    def restart(self, *options: str) -> None:
        self.kill()
        self.begin(*options)

    def live_update(self) -> None:
        """Another program takes over, with a journal of its own."""
        image = capture(self.store, local_ports=self.rings.local_ports())
        data = b"".join(stream.write(image, self.store, private=True))
        self.rings.hand_over()
        release(self.journal, self.store)
        self.pump.close()
        self.store = Store()
        self.store.log = self.log.append
        image = stream.read(data, self.store)
        restore(image, self.store)
        self.rings = self.store.hypervisor = Rings(self.host, self.log.append)
        self.rings.inherit(image.domains)
        self.pump = Pump(self.store)
        self.pump.log = self.log.append
        given = parse(["--rundir", str(self._rundir)], {})
        self.journal = begin_journal(given, self.store, self.log.append)
        self.rings.start(self.store, self.pump)
        self.rings.hear_of_changes()
        self.dom0 = Client(self.store.connect())

    def become_another(self, domid: int) -> None:
        """The domain dies, and another one gets its number."""
        guest = type(self.host.guests[domid])(domid)
        self.host.guests[domid] = self.host.guests_ever[domid] = guest
        self.host.states[domid] = DomainState(2000 + domid, False, False)

    def said(self, text: str) -> list[str]:
        return [line for line in self.log if text in line]

    def end(self) -> None:
        super().end()
        release(self.journal, self.store)
