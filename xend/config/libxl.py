"""How libxl's JSON writes values (libxl_types.idl): what has its default value is left out."""

from typing import Any

__all__ = ["backend", "not_empty"]


def not_empty(**values: Any) -> dict[str, Any]:
    """The values without what libxl leaves out: nulls, zeros, empty texts and lists."""
    return {key: value for key, value in values.items() if value}


def backend(domain: str) -> dict[str, Any]:
    """A device's backend domain, by its name or its domid; nothing of dom0."""
    if domain.isdigit():
        return not_empty(backend_domid=int(domain))
    return {"backend_domname": domain}
