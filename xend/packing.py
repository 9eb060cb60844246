"""What xend writes for a later xend: MessagePack.

Its texts hold any bytes, as os.fsdecode has them: names of files need not be UTF-8.
"""

from typing import Any

import msgpack

__all__ = ["pack", "unpack"]

_ERRORS = "surrogateescape"


def pack(fields: Any) -> bytes:
    """The bytes of a record.

    Raises:
        TypeError, ValueError, OverflowError: MessagePack cannot hold it.
    """
    return bytes(msgpack.packb(fields, unicode_errors=_ERRORS))


def unpack(data: bytes) -> Any:
    """The inverse of `pack`.

    Raises:
        ValueError: it is no record.
    """
    try:
        return msgpack.unpackb(data, unicode_errors=_ERRORS, strict_map_key=False)
    except ValueError:
        raise
    except Exception as error:  # a map whose keys are maps, for instance
        raise ValueError(f"not MessagePack: {error!r}") from error
