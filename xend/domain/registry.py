"""The domains that this xend made: by domid, name and UUID, and as files, so that another xend knows them.

RUNDIR/domains/UUID holds what a configuration was made of, not what it came to: it is parsed again.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
from sortedcontainers import SortedDict

from xend.config import DomainConfig
from xend.disk import Identity
from xend.domain.claims import Claim, Claims, disks_of
from xend.domain.source import Source, source_of
from xend.domain.waiting import Waiting
from xend.errors import XendError
from xend.operation.locks import Lock, domain_locks
from xend.packing import pack, unpack
from xend.stored import stored_fields
from xend.validators import (
    count,
    domid_or_none,
    number,
    number_or_none,
    pair_or_none,
    text_or_none,
    texts,
    typed,
)
from xenstore.daemon import trusted
from xenstore.daemon.files import replace


@attrs.define(kw_only=True, eq=False)
class Domain:
    """A domain, in one of its lives or between two.

    Attributes:
        next_source: what its next life is made of, where that is something else (xl config-update).
        domid: of its life; None: it waits for the next one.
        waiting: what is known of that wait; None: it does not wait.
        final: why no life follows this one, for people; None: its configuration says whether one does.
        start_time: when it was unpaused first, seconds since 1970; None: not yet.
        restarts: how often it was restarted in a row without having run for a while.
        awaited: what a shutdown was asked for ("poweroff", "reboot"), None: nothing.
        awaited_since: when, seconds since 1970.
        seen_shutdown: its end was acted on, and it is kept.
        may_suspend: it was asked to suspend itself and has taken the request; if nobody works on it, nobody
            waits for that any more.
        reconnecting: keys of devices that its guest had connected when it was saved, and that it may not have
            connected again since it was restored.
    """

    source: Source
    config: DomainConfig
    domid: int | None = attrs.field(validator=domid_or_none)
    next_source: Source | None = None
    waiting: Waiting | None = None
    final: str | None = attrs.field(default=None, validator=text_or_none)
    start_time: float | None = attrs.field(default=None, validator=number_or_none)
    restarts: int = attrs.field(default=0, validator=count)
    awaited: str | None = attrs.field(default=None, validator=text_or_none)
    awaited_since: float = attrs.field(default=0.0, validator=number)
    seen_shutdown: bool = attrs.field(default=False, validator=typed(bool))
    may_suspend: bool = attrs.field(default=False, validator=typed(bool))
    reconnecting: list[str] = attrs.field(factory=list, validator=texts)
    console: tuple[int, int] | None = attrs.field(default=None, validator=pair_or_none)  # gfn, port

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def uuid(self) -> str:
        return self.source.uuid

    @property
    def following(self) -> Source:
        """What its next life is made of."""
        return self.next_source or self.source

    @property
    def locks(self) -> list[Lock]:
        """What an operation on it holds."""
        return domain_locks(self.uuid, self.name)


class Domains:
    """All of them; those that live in the order of their domids.

    Attributes:
        claims: who has which disk.
        ending: UUIDs of domains that are being taken down: no life follows, though it may in the end be left
            to them.

    Raises:
        Untrusted: somebody else could have made or changed the directory, or a file in it.
    """

    def __init__(self, directory: Path, log: Callable[[str], object]) -> None:
        self._directory = directory
        self._log = log
        self._by_domid: SortedDict[int, Domain] = SortedDict()
        self._by_name: dict[str, Domain] = {}
        self._by_uuid: dict[str, Domain] = {}
        self.claims = Claims()
        #: Those between two lives, by UUID.
        self._waiting: dict[str, Domain] = {}
        self.ending: set[str] = set()
        #: Of those that are known no longer, and whose files could not be removed.
        self._left: set[str] = set()
        trusted.make_directory(directory, 0o700)
        trusted.check_files(directory, but_directories=True)

    def __iter__(self) -> Iterator[Domain]:
        """Those that live."""
        return iter(list(self._by_domid.values()))

    def all(self) -> list[Domain]:
        """Those that live, and those between two lives."""
        return [*self._by_domid.values(), *self._waiting.values()]

    def waiting(self) -> list[tuple[Domain, Waiting]]:
        """Those between two lives."""
        return [(each, each.waiting) for each in self._waiting.values() if each.waiting is not None]

    def get(self, domid: int) -> Domain | None:
        """The one that has this domid in its present life."""
        return self._by_domid.get(domid)

    def by_name(self, name: str) -> Domain | None:
        return self._by_name.get(name)

    def by_uuid(self, uuid: str) -> Domain | None:
        return self._by_uuid.get(uuid)

    def has_machine(self, uuid: str) -> bool:
        """Whether it is an hvm domain, whose devices a device model plays."""
        domain = self.by_uuid(uuid)
        return domain is not None and domain.config.machine is not None

    def with_lock(self, lock: Lock) -> Domain | None:
        """The one that has a lock among its `locks`."""
        return self.by_uuid(lock.value) if lock.subject == "uuid" else self.by_name(lock.value)

    def enter(self, domain: Domain) -> None:
        """Know a domain from now on, in the place of one with its UUID; one that had its domid is gone."""
        self.forget(domain.uuid, keep_file=True)
        before = None if domain.domid is None else self._by_domid.get(domain.domid)
        if before is not None:
            self.forget(before.uuid)
        self._index(domain)
        self.save(domain)

    def put_to_wait(self, source: Source, waiting: Waiting, restarts: int, final: str | None = None) -> None:
        """Know a domain as one between two lives from now on."""
        config = source.config()
        self.enter(
            Domain(source=source, config=config, domid=None, waiting=waiting, restarts=restarts, final=final)
        )

    def end(self, domain: Domain, why: str) -> None:
        """No life is to follow the present one; why: for people."""
        if domain.final is None:
            domain.final = why
            try:
                self.save(domain)
            except XendError as error:  # what is to end ends, though another xend may not know of it
                self._log(f"{domain.name}: {error}")

    def is_last_life(self, domain: Domain) -> bool:
        """Whether no life is to follow, whatever its configuration says."""
        return domain.final is not None or domain.uuid in self.ending

    def forget(self, uuid: str, keep_file: bool = False) -> None:
        """Know it no longer; nothing happens if it is not known."""
        domain = self._by_uuid.pop(uuid, None)
        if domain is not None:
            self._waiting.pop(uuid, None)
            if domain.domid is not None:
                self._by_domid.pop(domain.domid, None)
            if self._by_name.get(domain.name) is domain:
                del self._by_name[domain.name]
        if not keep_file:
            self.claims.release(uuid)
            self._left.add(uuid)
            self.remove_left()

    def remove_left(self) -> None:
        """Remove the files of those that are known no longer, as far as that is possible now.

        One that stays would bring its domain back with the next xend: it is tried again.
        """
        for uuid in list(self._left):
            try:
                self._path(uuid).unlink(missing_ok=self._directory.is_dir())
            except OSError as error:
                self._log(f"{self._path(uuid)} cannot be removed now: {error.strerror}")
                return
            self._left.discard(uuid)

    def rename(self, domain: Domain, name: str) -> None:
        """Give it another name."""
        if self._by_name.get(domain.name) is domain:
            del self._by_name[domain.name]
        domain.source.renamed = name
        if domain.next_source is not None:
            domain.next_source.renamed = name
        domain.config = attrs.evolve(domain.config, name=name)
        self.claims.rename(domain.uuid, name)
        self._by_name[name] = domain
        self.save(domain)

    def change(self, domain: Domain, change: dict[str, Any]) -> None:
        """Remember that a device was put in or taken out, see Source.changes."""
        domain.source.changes.append(change)
        domain.config = domain.source.config()
        self.claims.keep(domain.uuid, disks_of(domain.config))
        self.save(domain)

    def save(self, domain: Domain) -> None:
        """Write what changed of it.

        Raises:
            XendError: internal: the disk is full, for instance.
        """
        fields = {
            "source": attrs.asdict(domain.source),
            "next_source": None if domain.next_source is None else attrs.asdict(domain.next_source),
            "domid": domain.domid,
            "waiting": None if domain.waiting is None else stored_fields(domain.waiting),
            "final": domain.final,
            "start_time": domain.start_time,
            "restarts": domain.restarts,
            "awaited": domain.awaited,
            "awaited_since": domain.awaited_since,
            "seen_shutdown": domain.seen_shutdown,
            "may_suspend": domain.may_suspend,
            "reconnecting": domain.reconnecting,
            "console": domain.console,
            "disks": {claim.disk.devid: claim.identity.packed() for claim in self._kept(domain)},
            "backing": {
                claim.disk.devid: [each.packed() for each in claim.backing]
                for claim in self._kept(domain)
                if claim.backing
            },
        }
        try:
            replace(self._path(domain.uuid), pack(fields))
        except OSError as error:
            raise XendError("internal", f"cannot write {error.filename}", cause=error.strerror) from error
        self._left.discard(domain.uuid)
        self.remove_left()

    def load(self) -> None:
        """Know the domains of the xend before this one; what cannot be used is told and left."""
        for name in sorted(os.listdir(self._directory)):
            path = self._directory / name
            if name.startswith("."):
                with suppress(OSError):
                    path.unlink()  # half written
                continue
            try:
                domain, claims = self._read(name, unpack(path.read_bytes()))
            except Exception as error:  # noqa: BLE001 - whatever stands in a file, xend starts
                told = str(error) if isinstance(error, XendError | OSError | ValueError) else repr(error)
                self._log(f"{path}: cannot be used ({told}); the domain goes on unmanaged")
                continue
            self._index(domain)
            for claim in claims:
                self.claims.add(claim)

    def _kept(self, domain: Domain) -> list[Claim]:
        """Claims of disks that a domain has: one that is about to come is no part of it yet."""
        disks = disks_of(domain.config)
        return [claim for claim in self.claims.of(domain.uuid) if claim.disk in disks]

    def _index(self, domain: Domain) -> None:
        if domain.domid is None:
            self._waiting[domain.uuid] = domain
        else:
            self._by_domid[domain.domid] = domain
        self._by_name[domain.name] = domain
        self._by_uuid[domain.uuid] = domain

    def _read(self, name: str, fields: dict[str, Any]) -> tuple[Domain, list[Claim]]:
        """The domain that a file of this name says, and its disks.

        Raises:
            Exception: of any kind, where the file holds anything but what `save` writes.
        """
        source = source_of(fields.pop("source"))
        console = fields.pop("console")
        waiting = fields.pop("waiting", None)
        identities = fields.pop("disks", {})
        backing = {
            devid: tuple(map(Identity.unpacked, each)) for devid, each in fields.pop("backing", {}).items()
        }
        following = fields.pop("next_source", None)
        domain = Domain(
            source=source,
            config=source.config(),
            console=None if console is None else tuple(console),
            next_source=None if following is None else source_of(following),
            waiting=None if waiting is None else Waiting(**waiting),
            **fields,
        )
        if (waiting is None) != (domain.domid is not None):
            raise ValueError("it says neither which domid it has nor that it waits for one")
        if domain.uuid != name:
            raise ValueError(f"it is of the UUID {domain.uuid}")
        if domain.name in self._by_name or domain.domid in self._by_domid:
            raise ValueError(f"another one has the name {domain.name} or the domid {domain.domid} already")
        return domain, [
            Claim(
                domain.uuid,
                domain.name,
                disk,
                Identity.unpacked(identities[disk.devid]),
                backing.get(disk.devid, ()),
            )
            for disk in disks_of(domain.config)
            if disk.devid in identities
        ]

    def _path(self, uuid: str) -> Path:
        return self._directory / uuid
