"""What of an attrs class stands in a file that a later xend reads."""

from collections.abc import Mapping
from typing import Any, Final

import attrs

__all__ = ["NOT_STORED", "stored_fields"]

#: The metadata of a field that stands in no file: it means nothing to another xend.
NOT_STORED: Final[Mapping[str, bool]] = {"is_stored": False}


def stored_fields(instance: Any) -> dict[str, Any]:
    """The stored fields of an attrs instance and of those within it, as `xend.packing` takes them."""
    return attrs.asdict(instance, filter=lambda field, value: field.metadata.get("is_stored", True))
