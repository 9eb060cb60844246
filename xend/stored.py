"""What of an attrs class stands in a file that a later xend reads."""

import functools
from collections.abc import Mapping
from typing import Any, Final

import attrs

__all__ = ["NOT_STORED", "stored_fields"]

#: The metadata of a field that stands in no file: it means nothing to another xend.
NOT_STORED: Final[Mapping[str, bool]] = {"is_stored": False}
_PLAIN: Final = frozenset((str, int, float, bool, bytes, type(None)))


def stored_fields(instance: Any) -> dict[str, Any]:
    """The stored fields of an attrs instance and of those within it, as `xend.packing` takes them."""
    return {name: _as_stored(getattr(instance, name)) for name in _stored_names(instance.__class__)}


@functools.cache
def _stored_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(kind) if field.metadata.get("is_stored", True))


def _as_stored(value: Any) -> Any:
    """attrs.asdict asks each value what it is and takes twice as long; each step has its record."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, dict):
        return {key: _as_stored(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_as_stored(each) for each in value]
    return stored_fields(value) if attrs.has(kind) else value
