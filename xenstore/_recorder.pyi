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
    placed: int
    failure: str | None
    at: int
    room: int
    position: int
    def __init__(self, more: Callable[[bool], object], sequence: int = 0) -> None: ...
    def pace(self, open_until: int = ..., share_bytes: int = 0, first_bytes: int = 0) -> None: ...
    def begin_round(self) -> None: ...
    def into(self, buffer: object, at: int = 0) -> None: ...
    def stop(self, failure: str) -> None: ...
    def restart(self) -> None: ...
