"""Saved domains for tests: whole ones, and such as are not."""

import os
from pathlib import Path
from typing import Any

from xend.simulator import saved
from xend.stream import header, records
from xend.stream.reader import Reader

STATE: dict[str, Any] = {"memory_kib": 64, "word": "remembered"}
JSON = b'{"c_info":{"type":"pv","name":"a"},"b_info":{"type.pv":{}}}'


def memory(type: str = "pv", **state: Any) -> bytes:
    """The stream of a simulated domain's memory."""
    return b"".join(saved.stream(type, 64, {**STATE, **state}))


def file(type: str = "pv", config: bytes = JSON, own: bytes = b"") -> bytes:
    """A whole file."""
    front = header.pack(header.Header(config, own=own))
    return front + records.BEFORE + memory(type) + records.AFTER


def reader(path: Path, data: bytes) -> Reader:
    """Of a file with these bytes; the descriptor goes with the test's process."""
    path.write_bytes(data)
    return Reader.of(os.open(path, os.O_RDONLY))
