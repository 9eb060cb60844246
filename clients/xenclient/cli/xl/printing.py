"""Standard output: text, or JSON."""

from __future__ import annotations

import os


def write(text: str | bytes) -> None:
    """All of it, at once; names that are no UTF-8 as they came."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    while data:
        data = data[os.write(1, data) :]


def write_json(value: object) -> None:
    """The value for programs, and for people: indented."""
    write(as_text(value, indent=2) + "\n")


def as_text(value: object, indent: int | None = None) -> str:
    """JSON; bytes are a string if they are UTF-8, else {"base64": ...}."""
    import json  # slow to import and rarely wanted

    from xenclient.cli.output import as_json

    return json.dumps(value, indent=indent, default=as_json)
