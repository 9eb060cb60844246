"""The directory of domains that were saved as the host stopped: one file each, called as the domain is.

A file is there from its save until its domain runs again, and no longer: a domain whose file waits is made
of nothing else (`check_not_saved`), and who restores it takes the file away before the domain runs.
"""

import os
import random
from collections.abc import Collection

import attrs

from xend.config import DomainConfig
from xend.domain.host_stop import is_put_away, waiting_path
from xend.domain.saved_file import Draft, read_source
from xend.domain.source import Source
from xend.errors import XendError
from xend.host import Host
from xend.identity import uuid_of
from xenstore.daemon import trusted
from xenstore.daemon.trusted import Untrusted

__all__ = ["Saved", "SavedDirectory"]


@attrs.frozen(kw_only=True)
class Saved:
    """A domain that waits to be restored.

    Attributes:
        name: of its file, which is the domain's.
        path: of it, absolute.
        source, config: what is in it; None: see error.
        error: why it cannot be restored.
    """

    name: str
    path: str
    source: Source | None = None
    config: DomainConfig | None = None
    error: XendError | None = None

    def is_of(self, file: str, config: DomainConfig | None = None) -> bool:
        """Whether the configuration of that file, which may be wrong (None), describes this domain."""
        if config is not None and (self.name == config.name or self._uuid == config.uuid is not None):
            return True
        return self.name == file or (self.source is not None and self.source.name == file)

    @property
    def _uuid(self) -> str | None:
        return None if self.source is None else uuid_of(self.source.uuid)


@attrs.frozen
class SavedDirectory:
    """The directory that `--save-dir` names."""

    host: Host

    @property
    def path(self) -> str:
        """Of it, absolute."""
        return os.path.abspath(self.host.settings.save_directory)

    def path_of(self, name: str) -> str:
        """Of the file of a domain."""
        return waiting_path(self.host, name)

    def make(self) -> None:
        """Make it where it is missing.

        Raises:
            XendError: bad_request: it cannot be made, or others may put files there.
        """
        try:
            trusted.make_directory(self.path, 0o700)
            trusted.check_directory(self.path)
        except (Untrusted, OSError) as error:
            raise self._refusal(error) from error

    def all(self, chance: random.Random) -> list[Saved]:
        """Those that wait, by name; of each only the beginning is read.

        Raises:
            XendError: bad_request: it cannot be read, or others may put files there.
        """
        try:
            if not os.path.lexists(self.path):
                return []
            trusted.check_directory(self.path)
            names = sorted(name for name in os.listdir(self.path) if not name.startswith("."))
        except (Untrusted, OSError) as error:
            raise self._refusal(error) from error
        return [self._saved(name, chance) for name in names]

    def sweep(self, in_use: Collection[str]) -> None:
        """Remove what a host that went down left half done; in_use: drafts that are being written.

        A file that was put away is of a domain that has run since, or was about to.
        """
        try:
            names = os.listdir(self.path)
        except OSError:
            return
        for name in names:
            if name not in in_use and (Draft.is_one(name) or is_put_away(name)):
                try:
                    os.unlink(os.path.join(self.path, name))
                except OSError as error:
                    self.host.log(f"{self.path}/{name} cannot be removed: {error.strerror}")

    def _saved(self, name: str, chance: random.Random) -> Saved:
        path = os.path.join(self.path, name)
        try:
            source = read_source(path, chance)
            return Saved(name=name, path=path, source=source, config=source.config())
        except XendError as error:
            return Saved(name=name, path=path, error=not_restored(path, error))

    def _refusal(self, error: Exception) -> XendError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return XendError(
            "bad_request",
            f"the directory of saved domains, {self.path}, cannot be used: {reason}",
            hint="see --save-dir in xend(8)",
        )


def not_restored(path: str, error: XendError) -> XendError:
    """What is said of a domain that cannot be restored; it is not begun anew behind anybody's back."""
    return XendError(
        error.code,
        f"it was saved, and cannot be restored: {error}; its file stays",
        hint=f"xl restore {path} tries again; rm {path} gives its memory up, and it can be created",
    )
