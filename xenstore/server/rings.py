"""The rings of all domains: which page and port is whose, and what the hypervisor says of them.

Introduces dom0 and the domains that run already at start, serves a ring when its port fires, and looks
which domains have come to an end when the hypervisor says that some have.
"""

from collections.abc import Callable, Iterable

from xenstore import errors
from xenstore._link import Link, serve_fired
from xenstore._pump import Pump
from xenstore.hypervisor import Ring, are_two
from xenstore.image import Domain
from xenstore.platform import DomainState, Page, Platform, PlatformError
from xenstore.store import Session, Store


class Rings:
    """The `Hypervisor` of a store on a host that has domains."""

    def __init__(self, platform: Platform, log: Callable[[str], object]) -> None:
        self._platform = platform
        self._log = log
        self._links: dict[int, Link] = {}
        self._pages: dict[int, Page] = {}
        self._by_port: dict[int, Link] = {}
        self._seen: dict[int, DomainState] = {}
        self._replaced: set[int] = set()  # domids that were another's at the last look
        self._changes_port = 0  # none yet
        self._inherited: dict[int, Domain] | None = None
        self._is_started = False

    @property
    def host(self) -> str:
        """What kind of host this is."""
        return self._platform.name

    @property
    def count(self) -> int:
        """How many domains are connected."""
        return len(self._links)

    # --- what the store asks (xenstore.store.Hypervisor) -------------------------------------------------

    def exists(self, domid: int) -> bool:
        if domid in self._links:
            return True
        state = self._platform.domain(domid)
        if state is None or state.is_dying:
            return False
        before = self._seen.get(domid, state)
        self._seen[domid] = state
        if are_two(before.unique, state.unique):
            self._replaced.add(domid)
        return True

    def identity(self, domid: int) -> int:
        return self._seen[domid].unique if domid in self._seen else 0

    def guests(self) -> list[int]:
        """The domains of the host beside dom0, by domid."""
        return sorted(
            domid for domid, state in self._platform.domains().items() if domid and not state.is_dying
        )

    def lives(self, domid: int, unique: int) -> bool:
        """Whether a domain is alive, and still the one of that identity."""
        state = self._platform.domain(domid)
        return _is_alive(state, unique)

    def map(self, domid: int, gfn: int, port: int) -> None:
        """Map a domain's page and bind its port; a domain that is mapped already gets a new port only."""
        if domid in self._links:
            self._drop_port(self._links[domid])
        try:
            page = self._pages.get(domid) or self._platform.map_page(domid, gfn)
        except PlatformError as error:
            raise _refusal(error) from error
        try:
            local = self._bind(domid, port)
        except PlatformError as error:
            if domid not in self._pages:
                self._platform.unmap_page(page)
            raise _refusal(error) from error
        self._enter(domid, page, local)

    def serve(self, session: Session) -> None:
        link = self._links[session.domid]
        link.attach(session)
        link.restart()

    def unmap(self, domid: int) -> None:
        self._replaced.discard(domid)
        link = self._links.pop(domid, None)
        if link is None:
            return
        self._drop_port(link)
        link.release()
        self._platform.unmap_page(self._pages.pop(domid))

    # --- start ------------------------------------------------------------------------------------------

    def claim(self) -> None:
        """Be the only one that serves this host's domains; nothing of theirs is touched before.

        Raises:
            PlatformError: another one does.
        """
        if self._inherited is None and not self._changes_port:
            self._changes_port = self._platform.bind_domain_changes()

    def start(self, store: Store, pump: Pump) -> None:
        """Connect dom0's kernel and every domain that runs, and wait for events from now on.

        A store that was recovered goes on with the rings it had; those of its domains that came to an end
        meanwhile are removed, and their end told.

        Raises:
            PlatformError: dom0's ring or the port for domain changes is not to be had.
        """
        self._store = store
        self._pump = pump
        self.claim()
        self._seen = dict(self._platform.domains())
        recovered = sorted(store.introduced)
        own = self._platform.map_own_page()
        if own is not None:
            page, port = own
            self._enter(0, page, self._bind(0, port))
            self._connect(0, Ring(0, port, self.identity(0)))
        elif 0 in store.introduced:
            self._log("dom0 has no store ring here: the connection that it had is closed")
            store.disconnect(0)
        gone = [domid for domid in recovered if domid != 0 and not self._go_on(domid)]
        gone += [
            account.domid
            for account in store.accounts
            if account.domid not in (0, *recovered)
            and not _is_alive(self._seen.get(account.domid), account.unique)
        ]
        store.domains_ended(gone, [])
        for domid in sorted(self._seen):
            if domid not in store.introduced and not self._seen[domid].is_dying:
                self._introduce_running(domid)
        if recovered:
            self.look_at_domains()
        pump.on_readable(self._platform.fileno(), self.on_events, poll_only=self._platform.poll_only)
        self._is_started = True

    def stop(self) -> None:
        """Let go of the host, started or not."""
        if self._is_started:
            self._pump.forget(self._platform.fileno())
        self._platform.close()

    def _introduce_running(self, domid: int) -> None:
        port = self._platform.store_port(domid)
        if port is None:
            self._log(
                f"domain {domid} runs already, but no event channel of its waits for the store here: "
                "it is served once a toolstack introduces it"
            )
            return
        try:
            self.map(domid, 0, port)
        except errors.XenstoreError as error:
            self._log(f"domain {domid} runs already, but its store ring cannot be connected: {error}")
            return
        self._connect(domid, Ring(0, port, self.identity(domid)))

    def _go_on(self, domid: int) -> bool:
        """Serve a domain that the store was recovered with; False: that one has come to an end."""
        ring, state = self._store.rings[domid], self._seen.get(domid)
        if not _is_alive(state, ring.unique):
            return False
        try:
            self.map(domid, ring.gfn, ring.port)
        except errors.XenstoreError as error:
            self._log(f"domain {domid} lives, but its store ring cannot be connected again: {error}")
            return True
        self._connect(domid, ring)
        return True

    def _connect(self, domid: int, ring: Ring) -> None:
        """Go on with a ring whose other side is alive: its indices stay."""
        link, session = self._links[domid], self._store.session_of(domid)
        if session is None:
            link.attach(self._store.connect_domain(domid, ring))
            link.connected()
        else:
            self._take_up(link, session)
        if self._inherited is not None:
            self._serve_soon(link)  # not before the whole store was taken over
        else:
            link.serve()

    def _take_up(self, link: Link, session: Session) -> None:
        """Go on with a session that was recovered."""
        domid = session.domid
        inherited = (self._inherited or {}).get(domid)
        if inherited is not None and not inherited.has_positions:
            link.locate(session)
        if domid in self._store.ignored:
            link.ignore(session, self._store.ignored[domid])
        elif link.is_starting_anew:
            self._store.reconnect(domid)
        elif not link.adopt(session):
            self._log(
                f"domain {domid} is further in its store ring than the journal: what lies between is lost; "
                "if it waits for answers or events, it has to be restarted"
            )
        link.notify()

    def _bind(self, domid: int, port: int) -> int:
        """A local port for a domain's: the one that came with the platform's descriptor, or a new one."""
        known = self._inherited or {}
        inherited = known.get(domid)
        if inherited is None or not inherited.local_port:
            return self._platform.bind_interdomain(domid, port)
        known[domid] = inherited._replace(local_port=0)
        self._platform.adopt(inherited.local_port)
        return inherited.local_port

    # --- live update ------------------------------------------------------------------------------------

    def inherit(self, domains: Iterable[Domain]) -> None:
        """Before `start`: another xenstored left these domains, their ports with the platform's descriptor.

        Nothing is served then before the next turn, and `hear_of_changes` is due once all was taken over.
        """
        self._inherited = {domain.domid: domain for domain in domains}

    @property
    def event_fd(self) -> int:
        """The descriptor of all event channels."""
        return self._platform.fileno()

    def local_ports(self) -> dict[int, int]:
        """This host's ends of the domains' event channels, by domid."""
        return {domid: link.port for domid, link in self._links.items()}

    def hand_over(self) -> None:
        """Let go of what another xenstored has to take for itself before it has the rest."""
        self._platform.unbind(self._changes_port)

    def hear_of_changes(self) -> None:
        """Hear of domains' ends again, those that came meanwhile included: all was taken over, or nothing."""
        try:
            self._changes_port = self._platform.bind_domain_changes()
        except PlatformError as error:
            self._log(f"ends of domains are not noticed any more: {error.strerror}")
        self._pump.call_soon(self.look_at_domains)

    # --- events -----------------------------------------------------------------------------------------

    def on_events(self) -> None:
        """Serve every port that fired."""
        if serve_fired(self._platform.channels, self._by_port, self._changes_port):
            self.look_at_domains()

    def scan(self) -> None:
        """Look at every ring, notified or not."""
        for link in list(self._links.values()):
            link.serve()

    def _serve_soon(self, link: Link) -> None:
        if not link.is_due:
            link.is_due = True
            self._pump.call_soon(lambda: self._serve_due(link))

    def _serve_due(self, link: Link) -> None:
        link.is_due = False
        link.serve()

    def look_at_domains(self) -> None:
        """Tell the store which domains have come to an end since the last look."""
        now = self._platform.domains()
        died = [
            domid
            for domid, state in self._seen.items()
            if domid in self._replaced
            or domid not in now
            or now[domid].is_dying
            or self._is_another(domid, state, now[domid])
        ]
        self._replaced.clear()
        stopped = [
            domid for domid, state in now.items() if state.is_shutdown and domid not in died and domid != 0
        ]
        self._seen = {domid: state for domid, state in now.items() if not state.is_dying}
        self._store.domains_ended(died, stopped)

    def _is_another(self, domid: int, before: DomainState, now: DomainState) -> bool:
        """Whether a domid has changed hands between two looks."""
        if self._platform.pins_domids and domid in self._links:
            return False
        return are_two(before.unique, now.unique)

    # --- tables -----------------------------------------------------------------------------------------

    def _enter(self, domid: int, page: Page, port: int) -> None:
        old = self._links.get(domid)
        if old is not None:
            old.release()
        link = Link(domid, page, self._platform.channels, port)
        link.serve_soon = self._serve_soon
        self._links[domid] = link
        self._pages[domid] = page
        self._by_port[port] = link
        if domid not in self._seen:
            state = self._platform.domain(domid)
            if state is not None:
                self._seen[domid] = state

    def _drop_port(self, link: Link) -> None:
        if self._by_port.get(link.port) is link:
            del self._by_port[link.port]
            self._platform.unbind(link.port)
            link.close_port()


def _is_alive(state: DomainState | None, unique: int) -> bool:
    """Whether a domain in this state is the one of that identity, and alive."""
    return state is not None and not state.is_dying and not are_two(unique, state.unique)


def _refusal(error: PlatformError) -> errors.XenstoreError:
    """The wire's error for a host's; those the wire does not know become EINVAL."""
    for cls in errors.BY_NAME.values():
        if cls.errno == error.errno:
            return cls(str(error))
    return errors.EINVAL(str(error))
