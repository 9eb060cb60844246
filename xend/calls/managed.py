"""managed.*: domains that are configured, whether they run or not; and autostart.enable, .disable."""

from typing import Any

from xend.autostart.files import ConfigDirectory
from xend.bus.kinds import BYTES, TEXT, TEXTS
from xend.bus.methods import Call, Method, optional, required
from xend.errors import XendError
from xend.host import Host
from xend.managed.configured import Configurations, Configured
from xend.managed.editing import Editing, digest
from xend.managed.fates import Fates

Map = dict[str, Any]


class ManagedCalls:
    """The methods, over a host.

    Args:
        directory: of configurations.
    """

    def __init__(self, host: Host, fates: Fates, directory: ConfigDirectory) -> None:
        self._host = host
        self._fates = fates
        self._configurations = Configurations(directory, lambda: host.settings.defaults)
        self._editing = Editing(self._configurations)

    def methods(self) -> list[Method]:
        """All of them."""
        name, text = {"name": required(TEXT)}, {"text": required(BYTES)}
        many = {"names": required(TEXTS)}
        origin = {"name": optional(BYTES), "directory": optional(BYTES)}
        return [
            Method("managed.list", "read", {}, self.list_),
            Method("managed.read", "operate", name, self.read),
            Method("managed.new", "operate", {**text, **origin}, self.new),
            Method("managed.replace", "operate", {**name, **text, "was": required(TEXT)}, self.replace),
            Method("managed.delete", "operate", name, self.delete),
            Method("autostart.enable", "operate", many, self.enable),
            Method("autostart.disable", "operate", many, self.disable),
        ]

    async def list_(self, call: Call) -> list[Map]:
        return [self._row(each) for each in self._configurations.all()]

    async def read(self, call: Call, name: str) -> Map:
        found = self._configurations.find(name)
        if found.text is None:
            assert found.error is not None
            raise found.error
        return {
            "file": found.file,
            "path": found.path,
            "directory": found.text.directory,
            "text": found.text.text.encode("utf-8", "surrogateescape"),
            "digest": digest(found.text.text),
        }

    async def new(self, call: Call, text: str, name: str | None = None, directory: str | None = None) -> Map:
        config, path = self._editing.new(text, name, directory)
        self._tell("added", config.name)
        return {"name": config.name, "path": path, "warnings": [each.as_map() for each in config.warnings]}

    async def replace(self, call: Call, name: str, text: str, was: str) -> Map:
        found = self._configurations.find(name)
        config = self._editing.replace(found, text, was)
        self._tell("changed", config.name)
        return {
            "name": config.name,
            "path": found.path,
            "is_up": self._host.domains.by_name(found.name) is not None,
            "warnings": [each.as_map() for each in config.warnings],
        }

    async def delete(self, call: Call, name: str) -> Map:
        found = self._configurations.find(name)
        if self._host.domains.by_name(found.name) is not None:
            raise XendError(
                "wrong_state",
                f"domain {found.name} runs: its configuration is not deleted",
                domain=found.name,
                hint=f"xl shutdown -w {found.name} first",
            )
        removed = self._editing.delete(found)
        self._fates.forget(found.name)
        self._tell("deleted", found.name)
        return {"name": found.name, "removed": removed}

    async def enable(self, call: Call, names: list[str]) -> list[Map]:
        return [self._started(each, self._editing.enable(each)) for each in self._found(names)]

    async def disable(self, call: Call, names: list[str]) -> list[Map]:
        return [self._started(each, bool(self._editing.disable(each))) for each in self._found(names)]

    # --- what they share ----------------------------------------------------------------------------------

    def _found(self, names: list[str]) -> list[Configured]:
        """All of them, before anything is changed."""
        return [self._configurations.find(name) for name in names]

    def _started(self, found: Configured, is_changed: bool) -> Map:
        if is_changed:
            self._tell("autostart", found.name)
        return {"name": found.name, "file": found.file, "changed": is_changed}

    def _tell(self, what: str, name: str) -> None:
        self._host.publish("managed", what, name=name)

    def _row(self, found: Configured) -> Map:
        """One domain; `end` of one that is down: how its last life ended."""
        domain = self._host.domains.by_name(found.name)
        fate = self._fates.of(found.name)
        config = found.config
        return {
            "name": found.name,
            "file": found.file,
            "path": found.path,
            "autostart": found.is_started,
            "up": domain is not None,
            "domid": None if domain is None else domain.domid,
            "memory_kib": None if config is None else config.memory_kib,
            "max_memory_kib": None if config is None else config.max_memory_kib,
            "vcpus": None if config is None else config.vcpus,
            "type": None if config is None else config.type,
            "end": None if domain is not None or fate is None else fate.as_map(),
            "error": None if found.error is None else found.error.as_map(),
        }
