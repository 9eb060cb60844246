"""How the process of a simulated host is spoken to: MessagePack, `[id, method, {arguments}]`.

The answer is `[id, nil, result]` or `[id, [errno, text], nil]`, in the order of asking.  The socket is its
user's alone.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import attrs
import msgpack

from xend.hypervisor import DomainInfo
from xend.hypervisor.scheduling import CreditParameters, Parameters, RealTimeParameters

SOCKET_NAME = "host.socket"
#: The longest request and the longest answer, in bytes.
REQUEST_MAX = 64 * 1024
ANSWER_MAX = 64 * 1024 * 1024
_BYTES = "surrogateescape"

_NAMES = [field.name for field in attrs.fields(DomainInfo)]
_values = attrgetter(*_NAMES)


def pack(message: Sequence[object]) -> bytes:
    """One message."""
    # Names of files are any bytes, kept as os.fsdecode has them.
    return bytes(msgpack.packb(message, unicode_errors=_BYTES))


def unpacker(limit: int) -> msgpack.Unpacker:
    """What takes a stream apart; it raises ValueError at what is malformed or longer than `limit`."""
    return msgpack.Unpacker(max_buffer_size=limit, strict_map_key=True, unicode_errors=_BYTES)


def domain_row(info: DomainInfo) -> list[Any]:
    """A domain as it travels."""
    return list(_values(info))


def domain_info(row: Sequence[Any]) -> DomainInfo:
    """The inverse of `domain_row`."""
    return DomainInfo(**dict(zip(_NAMES, row, strict=True)))


def plain(value: Any) -> Any:
    """A value as it travels: attrs classes by their fields; whole numbers that are keys as texts."""
    if attrs.has(type(value)):
        return attrs.asdict(value)
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def parameters_of(fields: dict[str, Any]) -> Parameters:
    """Those that these fields make.

    Raises:
        TypeError: they are none.
    """
    return CreditParameters(**fields) if "weight" in fields else RealTimeParameters(**fields)
