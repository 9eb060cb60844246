"""That no disk is written by two: what a disk of a configuration is, and who else has it.

Asked where a disk comes into a domain: create, restart, attach, insert.  Two that read may share one; who
gives the mode w! says that he knows better, and is not asked about.
"""

import posixpath
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from xend.config.disk import DiskConfig
from xend.device.vbd import BLOCK, VBD
from xend.disk import Extent, Identity, Relation
from xend.disk.backing import FORMATS, backing_of
from xend.domain.claims import Claim, disks_of
from xend.domain.serving import backend_domid
from xend.errors import XendError

if TYPE_CHECKING:
    from xend.domain.registry import Domain
    from xend.host import Host

ISCSI = "block-iscsi"
#: What another disk is to the wanted one, as the object of a verb.
_WORDS: dict[Relation, str] = {
    "same": "it",
    "part": "a part of it",
    "whole": "what it is a part of",
    "across": "a part of it",
    "above": "what lies on it",
    "below": "what it lies on",
}


def identity_of(host: "Host", disk: DiskConfig) -> Identity | None:
    """What a disk is at present; None: it is a drive without a disc.

    In a driver domain nobody looks from here: there a disk is its path, normalised, and what links and nodes
    make one is two.  What a script of its own finds is what its target leads to; where that is no path, its
    target's text; of an iSCSI target, the unit of the target, by whatever portal.

    Raises:
        XendError: bad_image: there is no such file or device; no_such_domain: nor such a backend.
    """
    if disk.target is None:
        return None
    domid = backend_domid(host, disk.backend, VBD.label(disk.name))
    if domid:
        serving = host.domains.get(domid)
        place = domid if serving is None else serving.uuid
        return Identity(Extent(("domain", place, *_unseen(disk))))
    path = host.settings.guest_file(disk.target)
    try:
        if disk.target.startswith("/") or _script(disk) == BLOCK:
            return host.disks.of_path(path)
    except OSError as error:
        if _script(disk) != BLOCK:
            return Identity(Extent(("script", *_unseen(disk))))
        raise XendError(
            "bad_image",
            f"{VBD.label(disk.name)}: disk {path} cannot be read",
            cause=error.strerror,
            device=VBD.label(disk.name),
        ) from error
    return Identity(Extent(("script", *_unseen(disk))))


def claim_disk(
    host: "Host", uuid: str, name: str, disk: DiskConfig, replaces: DiskConfig | None = None
) -> None:
    """A disk is a domain's from now on, beside those it has, unless somebody has it already.

    replaces: the one in whose place it comes, which nobody has to mind.

    Raises:
        XendError: busy; as `identity_of`.
    """
    identity = identity_of(host, disk)
    if identity is None:
        return
    claim = Claim(uuid, name, disk, identity, _backing(host, disk))
    _check(host, claim, replaces)
    host.domains.claims.add(claim)


def claim_disks(host: "Host", uuid: str, name: str, disks: Sequence[DiskConfig]) -> None:
    """These are a domain's, in the place of those it had: its own earlier life is nobody else.

    Raises:
        XendError: busy, as `identity_of`; nothing has changed then.
    """
    claims = host.domains.claims
    before = claims.of(uuid)
    claims.release(uuid)
    try:
        for disk in disks:
            claim_disk(host, uuid, name, disk)
    except BaseException:
        claims.release(uuid)
        for claim in before:
            claims.add(claim)
        raise


def claim_anew(host: "Host", uuid: str, name: str, disk: DiskConfig) -> None:
    """A drive's disc was put back: it is what its name leads to now, whoever else has that."""
    with suppress(XendError):  # what cannot be looked at stays what it was
        if identity := identity_of(host, disk):
            host.domains.claims.add(Claim(uuid, name, disk, identity, _backing(host, disk)))
            host.domains.claims.renew(uuid, disk.devid)


def check_disks(host: "Host", uuid: str, name: str, disks: Sequence[DiskConfig]) -> None:
    """See that `claim_disks` would do; nothing has changed afterwards.

    Raises:
        XendError: busy, as `identity_of`.
    """
    claims = host.domains.claims
    before = claims.of(uuid)
    claim_disks(host, uuid, name, disks)
    claims.release(uuid)
    for claim in before:
        claims.add(claim)


def settle(host: "Host", uuid: str, devid: int | None = None) -> None:
    """What a domain has not got in the end is free.

    devid: of the disk that one has not of which no configuration is known, as dom0; None: it has none.
    """
    domain, claims = host.domains.by_uuid(uuid), host.domains.claims
    if domain is not None:
        claims.keep(uuid, disks_of(domain.config))
    else:
        others = [claim.disk for claim in claims.of(uuid) if claim.disk.devid != devid]
        claims.keep(uuid, others if devid is not None else ())


def claim_unknown(host: "Host", domain: "Domain") -> None:
    """Claim what a domain has of which no record says what it was: it is what it is called now."""
    known = [claim.disk for claim in host.domains.claims.of(domain.uuid)]
    for disk in disks_of(domain.config):
        if disk not in known:
            with suppress(XendError):
                if identity := identity_of(host, disk):
                    claim = Claim(domain.uuid, domain.name, disk, identity, _backing(host, disk))
                    host.domains.claims.add(claim)


def _backing(host: "Host", disk: DiskConfig) -> tuple[Identity, ...]:
    """What an image lies on that a device model of dom0's reads."""
    if disk.target is None or disk.backend != "0" or disk.format not in FORMATS:
        return ()
    found = []
    for path in backing_of(host.settings.guest_file(disk.target)):
        with suppress(OSError):  # qemu says so
            found.append(host.disks.of_path(path))
    return tuple(found)


def _check_backing(host: "Host", claim: Claim) -> None:
    """An image is as good as what it lies on: nobody may write to that."""
    claims = host.domains.claims
    for each in claim.backing:
        for other in claims.meeting(each):
            if other.writes:
                raise _busy(
                    claim,
                    f"it lies on target {other.disk.target}, to which domain {other.name} writes as "
                    f"{other.disk.name}",
                    "what lies below an image must not change",
                )
    if claim.writes:
        for other in claims.backed_by(claim.identity):
            raise _busy(
                claim,
                f"target {other.disk.target} lies on it, which domain {other.name} has as {other.disk.name}",
                "what lies below an image must not change; w! in place of w says that you know better",
            )


def _check(host: "Host", claim: Claim, replaces: DiskConfig | None) -> None:
    if claim.disk.mode == "w!":
        return
    for other in host.domains.claims.meeting(claim.identity):
        if other.uuid == claim.uuid and other.disk == replaces:
            continue
        if claim.writes or other.writes:
            raise _taken_by(claim, other)
    _check_backing(host, claim)
    if claim.identity.own.thing[0] in ("domain", "script"):
        return
    for use in host.disks.used_by_dom0():
        relation = claim.identity.relation(use.identity)
        if relation and (claim.writes or use.writes):
            better = "; w! in place of w says that you know better" if claim.writes else ""
            raise _busy(
                claim,
                f"dom0 has {_WORDS[relation]} {use.how}, as {use.name}",
                f"take {use.name} out of use in dom0 first{better}",
            )


def _taken_by(claim: Claim, other: Claim) -> XendError:
    relation = claim.identity.relation(other.identity)
    assert relation is not None
    verb = "writes to" if other.writes else "reads"
    return _busy(
        claim,
        f"domain {other.name} {verb} {_WORDS[relation]} as {other.disk.name}, target {other.disk.target}",
        "two writers ruin a file system; w! in place of w says that you know better",
    )


def _busy(claim: Claim, why: str, hint: str) -> XendError:
    device = VBD.label(claim.disk.name)
    return XendError(
        "busy",
        f"{device}: {claim.disk.target} is in use: {why}",
        domain=claim.name,
        device=device,
        hint=hint,
    )


def _script(disk: DiskConfig) -> str:
    """By its name: all are in one directory, whether a configuration says so or not."""
    return posixpath.basename(disk.script or BLOCK)


def _unseen(disk: DiskConfig) -> tuple[str, str]:
    """What a disk is that nobody can look at: a path is one for all scripts."""
    normal = _normal(disk)
    return ("" if normal.startswith("/") else _script(disk), normal)


def _normal(disk: DiskConfig) -> str:
    target = disk.target or ""
    if _script(disk) == ISCSI:
        words = dict(word.partition("=")[::2] for word in target.split(","))
        return f"{words.get('iqn', target).lower()} {words.get('lun', '0').lstrip('0') or '0'}"
    return posixpath.normpath("/" + target.lstrip("/")) if target.startswith("/") else target
