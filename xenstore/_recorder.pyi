import enum
from collections.abc import Callable

class EntryKind(enum.IntEnum):
    CONNECT = 10
    IGNORE = 11
    TARGET = 12
    FEATURES = 13
    FEATURES_AHEAD = 14
    STOPPED = 15
    GONE = 16
    QUOTA = 17
    HEARD = 19

def checksum_of(data: bytes | bytearray | memoryview, *, by_tables: bool = False) -> int: ...

class Recorder:
    sequence: int
    written: int
    failure: str | None
    room: int
    def __init__(self, more: Callable[[], object], sequence: int = 0) -> None: ...
    def into(self, buffer: object) -> None: ...
    def stop(self, failure: str) -> None: ...
    def restart(self) -> None: ...
