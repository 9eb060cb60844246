"""What starting and stopping domains needs of the calls that do so for anybody."""

from collections.abc import Sequence
from typing import Any, Protocol

from xend.autostart.files import Text
from xend.domain.registry import Domain
from xend.hypervisor import DomainInfo
from xend.operation.locks import Lock


class Known(Protocol):
    """A domain of the host; managed: None where this xend did not make it.

    info, domid: None where it is between two lives.
    """

    @property
    def info(self) -> DomainInfo | None: ...
    @property
    def name(self) -> str: ...
    @property
    def managed(self) -> Domain | None: ...
    @property
    def domid(self) -> int | None: ...
    @property
    def uuid(self) -> str: ...
    @property
    def locks(self) -> list[Lock]: ...


class Living(Known, Protocol):
    """One that is not between two lives."""

    @property
    def info(self) -> DomainInfo: ...
    @property
    def domid(self) -> int: ...


class Acts(Protocol):
    """Each raises XendError."""

    async def create(self, name: str, text: Text) -> dict[str, Any]:
        """domain.create's answer, for the configuration in the file of that name."""

    async def restore(self, path: str) -> dict[str, Any]:
        """domain.restore's answer, for the file at that path."""

    async def find(self, name: str) -> Living | None:
        """The domain of that name; None: there is none, or it is between two lives."""

    async def all(self) -> Sequence[Known]:
        """All domains but dom0, by domid, those between two lives last."""
