"""What is configured on this host: the files of the configuration directory that describe domains."""

import os
from collections.abc import Callable

import attrs

from xend.autostart.files import ConfigDirectory, Text
from xend.config import DomainConfig
from xend.config.defaults import Defaults
from xend.config.domain import parse
from xend.errors import XendError

#: Configurations may be called so besides by their domain's name.
SUFFIX = ".cfg"


@attrs.frozen(kw_only=True)
class Configured:
    """A file that describes a domain.

    Attributes:
        file: its name in the directory, or in auto/ where it stands only there.
        text: None: it cannot be read.
        config: None: it is wrong, or cannot be read; `error` says why.
        is_started: it stands in auto/, so that it starts with the host.
    """

    file: str
    path: str
    text: Text | None
    config: DomainConfig | None
    error: XendError | None
    is_started: bool

    @property
    def name(self) -> str:
        """The domain's, or what it would be called by its file's where that is wrong."""
        return self.file.removesuffix(SUFFIX) if self.config is None else self.config.name


class Configurations:
    """Those of one directory; it is read anew each time, as people edit it.

    defaults: the host's of the moment, for configurations that say nothing.
    """

    def __init__(self, directory: ConfigDirectory, defaults: Callable[[], Defaults]) -> None:
        self.directory = directory
        self._defaults = defaults

    def all(self) -> list[Configured]:
        """In the order of their domains' names.

        Raises:
            XendError: bad_config: the directory cannot be read, or others than root may write to it.
        """
        self.directory.check()
        started = self._started()
        found = [self._read(name, self._path(name) in started) for name in self.directory.files()]
        known = {os.path.realpath(each.path) for each in found}
        for path, name in started.items():
            if path not in known and self.directory.broken_link(name) is None:
                found.append(self._read(name, True, is_listed=True))
        return sorted(found, key=lambda each: (each.name, each.file))

    def find(self, word: str) -> Configured:
        """The one that a word means: a domain's name, or its file's, or the path of that.

        Raises:
            XendError: no_such_domain; bad_config: as `all`, or two files are for domains of that name.
        """
        found = self.all()
        matches = [each for each in found if each.config is not None and each.name == word]
        # One that is wrong may be the one that is meant.
        matches += [each for each in found if matches and each.config is None and each.name == word]
        matches = matches or [each for each in found if word in (each.file, each.name, each.path)]
        if len(matches) > 1:
            files = " and ".join(each.path for each in matches)
            raise XendError("bad_config", f"{files} are both for {word}", hint="give the path that you mean")
        if not matches:
            names = ", ".join(each.name for each in found) or "none"
            raise XendError(
                "no_such_domain",
                f"no domain {word} is configured in {self.directory.path}",
                hint=f"configured: {names}",
            )
        return matches[0]

    def _started(self) -> dict[str, str]:
        """Where the entries of auto/ lead, and their names there."""
        auto = os.path.join(self.directory.path, "auto")
        return {os.path.realpath(os.path.join(auto, name)): name for name in self.directory.listed()}

    def _path(self, name: str) -> str:
        return os.path.realpath(os.path.join(self.directory.path, name))

    def _read(self, name: str, is_started: bool, *, is_listed: bool = False) -> Configured:
        path = os.path.join(self.directory.path, *(["auto"] if is_listed else []), name)
        text = config = failed = None
        try:
            text = self.directory.read(name, is_listed)
            config = parse(text.text, source=text.path, name=name, directory=text.directory)
            config = self._defaults().applied(config)
        except XendError as error:
            failed = error
        return Configured(file=name, path=path, text=text, config=config, error=failed, is_started=is_started)
