"""Paths, names and tokens between Python and the wire."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Text = bytes | str


def encode(text: Text) -> bytes:
    """The bytes of a value; str is UTF-8, with what `decode` could not decode restored."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    """The str of a name or path; bytes that are no UTF-8 become surrogates, which `encode` reverses."""
    return data.decode("utf-8", "surrogateescape")


def terminated(*texts: Text) -> bytes:
    """Each text followed by a NUL.

    Raises:
        ValueError: a text holds a NUL itself.
    """
    payload = b""
    for text in texts:
        data = encode(text)
        if b"\0" in data:
            raise ValueError(f"NUL in {text!r}: the store's strings end at the first one")
        payload += data + b"\0"
    return payload


def shown(text: Text) -> str:
    """For an error's text."""
    return encode(text).decode("utf-8", "backslashreplace")
