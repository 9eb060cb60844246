from enum import Enum

from xenstore._store import Store

class Ending(Enum):
    CLEAN = "the log ends here"
    CUT = "a frame goes on in what follows"
    DAMAGED = "a frame is damaged or incomplete"

class ReplayError(Exception):
    offset: int
    sequence: int
    def __init__(self, offset: int, sequence: int, problem: str) -> None: ...

def scan(data: bytes | bytearray | memoryview, start: int, sequence: int) -> tuple[int, int, int, Ending]: ...
def apply(store: Store, data: bytes | bytearray | memoryview, start: int, end: int) -> None: ...
def set_generation(store: Store, generation: int) -> None: ...
