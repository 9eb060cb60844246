"""How the last life of each domain ended: what is said of those that are configured and down.

RUNDIR/ends holds a file for each name, so that another xend knows it; like all of RUNDIR it is gone when the
host is started anew, and so is every domain.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from xend.packing import pack, unpack
from xend.validators import number, text_or_none, typed
from xenstore.daemon import trusted
from xenstore.daemon.files import replace
from xenstore.daemon.text import one_line

#: How many names are remembered; those whose end is longest ago are forgotten first.
MAX_NAMES = 2000
SHUTDOWN, DESTROYED, FAILED = "shutdown", "destroyed", "failed"
#: The events of domains that are an end.
_ENDS = {"destroyed": DESTROYED, "reaped": DESTROYED}


@attrs.frozen(kw_only=True)
class Fate:
    """An end.

    Attributes:
        what: SHUTDOWN, DESTROYED, or FAILED: it could not be made, or made again.
        at: seconds since 1970.
        reason: why, or what it shut down for; for people.
        domid: of the life that ended; None: there was none.
    """

    name: str = attrs.field(validator=typed(str))
    what: str = attrs.field(validator=attrs.validators.in_((SHUTDOWN, DESTROYED, FAILED)))
    at: float = attrs.field(validator=number)
    reason: str | None = attrs.field(default=None, validator=text_or_none)
    domid: int | None = None

    def as_map(self) -> dict[str, Any]:
        """As it travels over the bus."""
        return {"what": self.what, "at": self.at, "reason": self.reason}


class Fates:
    """Of all domains, by name.

    Raises:
        Untrusted: somebody else could have made or changed the directory, or a file in it.
    """

    def __init__(
        self, directory: Path, wall_clock: Callable[[], float], log: Callable[[str], object]
    ) -> None:
        self._directory = directory
        self._wall_clock = wall_clock
        self._log = log
        trusted.make_directory(directory, 0o700)
        trusted.check_files(directory)
        self._by_name = dict(sorted(self._loaded().items(), key=lambda item: item[1].at))

    def of(self, name: str) -> Fate | None:
        """Of the domain of this name; None: it lives, or none ended since the host was started."""
        return self._by_name.get(name)

    def heard(self, kind: str, what: str, **fields: Any) -> None:
        """An event: of a domain that begins or ends."""
        name, domid, reason = fields.get("name"), fields.get("domid"), fields.get("reason")
        if kind != "domain" or name is None:
            return
        if what == "created":
            self.forget(name)
        elif what == "shutdown":
            self._put(SHUTDOWN, name, reason, domid)
        elif what in _ENDS:
            last = self._by_name.get(name)
            # What was removed because it had shut down has shut down.
            if last is None or last.what != SHUTDOWN or last.domid != domid:
                self._put(_ENDS[what], name, reason, domid)

    def failed(self, name: str, why: str) -> None:
        """It could not be made."""
        self._put(FAILED, name, why, None)

    def forget(self, name: str) -> None:
        """It lives, or nobody wants to know."""
        if self._by_name.pop(name, None) is not None:
            with suppress(OSError):
                os.unlink(self._path(name))

    def _put(self, what: str, name: str, reason: str | None, domid: int | None) -> None:
        self._by_name.pop(name, None)
        clean = None if reason is None else one_line(reason)
        fate = Fate(name=name, what=what, at=self._wall_clock(), reason=clean, domid=domid)
        self._by_name[name] = fate
        try:
            replace(self._path(name), pack(attrs.asdict(fate)))
        except OSError as error:
            self._log(f"{error.filename}: {error.strerror}; another xend will not know how {name} ended")
        while len(self._by_name) > MAX_NAMES:
            self.forget(next(iter(self._by_name)))

    def _path(self, name: str) -> Path:
        return self._directory / hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def _loaded(self) -> dict[str, Fate]:
        found = {}
        for path in self._directory.iterdir():
            try:
                fate = Fate(**unpack(path.read_bytes()))
            except (OSError, ValueError, TypeError) as error:
                self._log(f"{path}: cannot be used ({one_line(str(error))}); how a domain ended is lost")
            else:
                found[fate.name] = fate
        return found
