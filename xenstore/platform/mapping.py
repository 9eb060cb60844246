"""Memory that the system maps: pages of domains, and those for arguments of hypercalls."""

from typing import Protocol


class Mapping(Protocol):
    """Mapped memory, a writable buffer (see `xenstore._memory.Memory`)."""

    @property
    def address(self) -> int: ...

    def close(self) -> None: ...

    def __buffer__(self, flags: int, /) -> memoryview: ...
