"""The store's domains: their sessions and rings, what their deaths leave to clean up, their quotas."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from xenstore import _store, errors
from xenstore._accounts import Account
from xenstore._recorder import EntryKind
from xenstore._session import Session
from xenstore.hypervisor import Hypervisor, NoHypervisor, Ring, are_two

__all__ = ["DomainStore"]


class DomainStore(_store.Store):
    """A store, its sessions and the domains that are introduced to it; `Store` is the whole of one.

    Attributes:
        introduced: sessions of the introduced domains, by domid.
        rings: where their rings are, by domid.
        ignored: the ring errors of those that broke the protocol, by domid.
        reported_shutdowns: domains whose shutdown was told and is not told again.
        features_ahead: features that domains will be offered when they are introduced, by domid.
        hypervisor: the host.
        journal_failure: why a restart would lose what is recorded, although there is a journal; or None.
        log: called with one line about something an administrator should know, or None.
    """

    def __init__(
        self,
        *,
        quotas: Mapping[str, int] | None = None,
        keep_orphans: bool = False,
        hypervisor: Hypervisor | None = None,
    ) -> None:
        self.hypervisor: Hypervisor = hypervisor or NoHypervisor()
        self.keep_orphans = keep_orphans
        self.journal_failure: str | None = None
        self._first_quotas = quotas
        self.begin_anew()

    def begin_anew(self) -> None:
        """Hold nothing but what every store begins with; for one that nobody is connected to."""
        self.introduced: dict[int, Session] = {}
        self.rings: dict[int, Ring] = {}
        self.ignored: dict[int, int] = {}
        self.features_ahead: dict[int, int] = {}
        self.reported_shutdowns: set[int] = set()
        self._after_reply: list[Callable[[], None]] = []
        super().__init__(self._first_quotas, self._knows)
        self.accounts.identify = self._identify

    def _knows(self, domid: int) -> bool:
        return domid in self.introduced or self.hypervisor.exists(domid)

    def _identify(self, domid: int) -> int:
        """The identity of a domain that gets an account, which outlives this process with it."""
        unique = self.hypervisor.identity(domid)
        if unique:
            self.record_entry(EntryKind.HEARD, domid, 0, b"%d" % unique)
        return unique

    def hear_of(self, domid: int) -> Account:
        """The account of a domain that exists, introduced or not, opened if need be.

        Raises:
            ENOENT: no such domain exists.
        """
        if not self.exists(domid) and self.accounts.get(domid) is None:
            raise errors.ENOENT(f"domain {domid} does not exist")
        return self.accounts.open(domid)

    def exists(self, domid: int) -> bool:
        """Whether a domain exists, introduced or not.

        What another of that id left is removed, if its end was not noticed yet: nothing is inherited.
        """
        if domid == 0 or domid in self.introduced:
            return True
        exists, account = self.hypervisor.exists(domid), self.accounts.get(domid)
        if account is not None and are_two(account.unique, self.hypervisor.identity(domid)):
            self._remove_domain(domid)
        return exists

    # --- requests ---------------------------------------------------------------------------------

    def later(self, action: Callable[[], None]) -> None:
        """Do something once the answer to the request being executed is queued."""
        self._after_reply.append(action)

    def after_reply(self) -> None:
        while self._after_reply:
            self._after_reply.pop(0)()

    # --- sessions ---------------------------------------------------------------------------------

    def connect(self) -> Session:
        """A new session of a client on the daemon's socket: privileged, domain 0."""
        return self.open_session(0, True)

    def open_session(self, domid: int, privileged: bool) -> Session:
        """A new session; what traces call a connection."""
        session = Session(self, domid, privileged)
        if self.trace is not None:
            self.trace("CREATE", session, 0, b"")
        return session

    # --- domains ----------------------------------------------------------------------------------

    def session_of(self, domid: int) -> Session | None:
        """The session of an introduced domain."""
        return self.introduced.get(domid)

    def connect_domain(self, domid: int, ring: Ring = Ring()) -> Session:  # noqa: B008 (immutable)
        """A session of a domain that is introduced herewith; its ring is for the hypervisor to serve."""
        session = self.open_session(domid, domid == 0)
        session.features = self.features_ahead.pop(domid, session.features)
        self._introduced(session)
        self.rings[domid] = ring
        self.ignored.pop(domid, None)
        self.reported_shutdowns.discard(domid)
        self.record_entry(EntryKind.CONNECT, domid, 0, b"%d %d %d" % ring)
        self.record_entry(EntryKind.FEATURES, domid, session.features)
        return session

    def restore_domain(self, state: Mapping[str, Any], ring: Ring, error: int = 0) -> Session:
        """An introduced domain's session, by what `Session.export` told.

        error: why its ring is ignored, or 0.
        """
        session = self.open_session(state["domid"], state["privileged"])
        session.take_over(state)
        self._introduced(session)
        self.rings[session.domid] = ring
        if error:
            self.ignore(session.domid, error)
        return session

    def _introduced(self, session: Session) -> None:
        session.recorded = True
        self.introduced[session.domid] = session

    def introduce(self, domid: int, gfn: int, port: int) -> None:
        """Connect a domain's ring; a domain that is connected already starts anew, nobody is told.

        Raises:
            XenstoreError: the ring cannot be mapped.
        """
        self.exists(domid)
        self.hypervisor.map(domid, gfn, port)
        ring = Ring(gfn, port, self.hypervisor.identity(domid))
        if domid in self.introduced:
            session = self._connect_anew(domid, ring)
        else:
            session = self.connect_domain(domid, ring)
            self.event_special(b"@introduceDomain", domid, True)
        # What the page shows must be recorded before, the reply to this request included.
        self.later(lambda: self.hypervisor.serve(session))

    def reconnect(self, domid: int) -> None:
        """Start an introduced domain's connection anew: no watches, no transactions, an empty ring."""
        self.hypervisor.serve(self._connect_anew(domid, self.rings[domid]))

    def _connect_anew(self, domid: int, ring: Ring) -> Session:
        old = self.introduced[domid]
        target, features = old.target, old.features
        old.close()
        session = self.connect_domain(domid, ring)
        session.features = features
        self.record_entry(EntryKind.FEATURES, domid, features)
        self.set_target(domid, target)
        return session

    def set_target(self, domid: int, target: int | None) -> None:
        """Give a domain the rights of another one besides its own; None: no more.

        Only introduced domains need any; dom0 without a ring has all.
        """
        if domid in self.introduced:
            self.introduced[domid].target = target
            self.record_entry(EntryKind.TARGET, domid, -1 if target is None else target)

    def set_features_ahead(self, domid: int, mask: int) -> None:
        """Choose the features that a domain will be offered when it is introduced.

        Raises:
            ENOENT: no such domain exists.
        """
        self.hear_of(domid)
        self._set_features_ahead(domid, mask)

    def _set_features_ahead(self, domid: int, mask: int) -> None:
        self.features_ahead[domid] = mask
        self.record_entry(EntryKind.FEATURES_AHEAD, domid, mask)

    def ignore(self, domid: int, error: int) -> None:
        """Serve an introduced domain no more, though it lives: it has broken the protocol of its ring."""
        self.introduced[domid].close()
        self.ignored[domid] = error
        self.record_entry(EntryKind.IGNORE, domid, error)

    def release(self, domid: int) -> None:
        """Forget an introduced domain, as if it had died; @releaseDomain is told after the reply."""
        self._remove_domain(domid)
        self.later(lambda: self.event_special(b"@releaseDomain", domid, True))

    def resume(self, domid: int) -> None:
        """Let the next shutdown of a domain be told again."""
        self._report_shutdown(domid, False)

    def _report_shutdown(self, domid: int, told: bool) -> None:
        (self.reported_shutdowns.add if told else self.reported_shutdowns.discard)(domid)
        self.record_entry(EntryKind.STOPPED, domid, told)

    def domain_shutdown(self, domid: int) -> None:
        """The hypervisor says a domain has shut down or crashed: told once, until `resume`."""
        self.domains_ended([], [domid])

    def domain_died(self, domid: int) -> None:
        """The hypervisor says a domain is gone: what it left is removed, and its end told."""
        self.domains_ended([domid], [])

    def domains_ended(self, died: Iterable[int], stopped: Iterable[int]) -> None:
        """Several domains died or shut down: the generic event is told once for all of them, at the end."""
        told = []
        for domid in died:
            if domid in self.introduced:
                told.append(domid)
            self._remove_domain(domid)
        for domid in stopped:
            if domid in self.introduced and domid not in self.reported_shutdowns:
                self._report_shutdown(domid, True)
                told.append(domid)
        for domid in told:
            self.event_special(b"@releaseDomain", domid, domid == told[-1])

    def _remove_domain(self, domid: int) -> None:
        self.disconnect(domid)
        self.hypervisor.unmap(domid)
        self._remove_nodes(domid)
        self.forget_domain(domid)

    def disconnect(self, domid: int) -> None:
        """Forget a domain's connection, not the domain."""
        session = self.introduced.pop(domid, None)
        if session is not None:
            session.close()
        for other in self.introduced.values():
            if other.target == domid:
                other.target = None
        self.rings.pop(domid, None)
        self.ignored.pop(domid, None)
        self.reported_shutdowns.discard(domid)
        self.features_ahead.pop(domid, None)

    def _remove_nodes(self, domid: int) -> None:
        """Remove what a domain owns, wherever it is; -K gives it to dom0 instead (XSA-419)."""
        home = b"/local/domain/%d" % domid
        if not self.keep_orphans and self.owner_of(home) == domid:
            self.remove_node(home)
        for lasting in (b"/", b"@introduceDomain", b"@releaseDomain"):
            if self.owner_of(lasting) == domid:
                self.give_to(lasting, 0)
        account = self.accounts.get(domid)
        while account is not None and account.nodes > 0:
            for path in self.owned_paths(domid):
                if self.keep_orphans:
                    self.give_to(path, 0)
                else:
                    self.remove_node(path)

    @property
    def quotas(self) -> dict[str, int]:
        """The quotas that domains start with, by name."""
        return self.accounts.quota_values()

    def set_quota(self, name: str, value: int, domid: int | None = None) -> None:
        """Change a quota for domains to come, or one domain's, which need not be introduced.

        A domain's quotas are forgotten when it is released or gone.

        Raises:
            EINVAL: unknown name or bad value.
            ENOENT: no such domain exists.
        """
        if domid is not None:
            self.hear_of(domid)
        self._set_quota(name, value, domid)

    def _set_quota(self, name: str, value: int, domid: int | None) -> None:
        self.accounts.set_quota(name, value, domid)
        self.record_entry(EntryKind.QUOTA, 0, -1 if domid is None else domid, name.encode(), b"%d" % value)

    def domain_quotas(self, domid: int) -> dict[str, int]:
        """One domain's quotas by name.

        Raises:
            ENOENT: no such domain exists.
        """
        return self.hear_of(domid).quota_values()
