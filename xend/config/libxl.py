"""How libxl's JSON writes values (libxl_types.idl): what has its default value is left out."""

from collections.abc import Mapping
from typing import Any

__all__ = ["backend", "backend_of", "flag", "item", "not_empty", "number", "text"]


def not_empty(**values: Any) -> dict[str, Any]:
    """The values without what libxl leaves out: nulls, zeros, empty texts and lists."""
    return {key: value for key, value in values.items() if value}


def backend(domain: str) -> dict[str, Any]:
    """A device's backend domain, by its name or its domid; nothing of dom0."""
    if domain.isdigit():
        return not_empty(backend_domid=int(domain))
    return {"backend_domname": domain}


def backend_of(json: Mapping[str, Any]) -> str | None:
    """The inverse of `backend`; None: dom0."""
    name, domid = json.get("backend_domname"), json.get("backend_domid")
    if isinstance(name, str) and name:
        return None if name in ("0", "Domain-0") else name
    return str(domid) if isinstance(domid, int) and domid > 0 else None


def item(*flags: str, **values: Any) -> str:
    """An item of a list of devices in an xl.cfg: "key=value" with commas between; None, and what is empty, is
    left out.

    Raises:
        ValueError: a value has a comma, which would end it.
    """
    for key, value in values.items():
        if isinstance(value, str) and "," in value:
            raise ValueError(f"{key} {value!r} has a comma, which no xl.cfg can say")
    words = [f"{key}={value}" for key, value in values.items() if value not in (None, "")]
    return ",".join([*words, *flags])


def text(json: Mapping[str, Any], key: str) -> str | None:
    """A text of libxl's JSON; None: it is absent, or none."""
    value = json.get(key)
    return value.partition("\0")[0] if isinstance(value, str) else None


def number(json: Mapping[str, Any], key: str) -> int | None:
    """A whole number of libxl's JSON; None: it is absent, or none."""
    value = json.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def flag(json: Mapping[str, Any], key: str) -> bool | None:
    """One of libxl's booleans, texts where they may be undecided; None: it is undecided, or absent."""
    value = json.get(key)
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None
