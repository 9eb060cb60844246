"""The call that tells a client whom it talks to."""

from collections.abc import Mapping
from typing import Any

from xend.bus.kinds import NUMBER, TEXT
from xend.bus.methods import Call, Method, optional
from xend.errors import XendError

#: Versions of the bus's contract that are spoken, the newest last.
PROTOCOLS = (1,)


def hello(about: Mapping[str, Any]) -> Method:
    """The method `hello`; `about` is what it tells besides protocol, access and methods (docs/bus.md)."""

    async def answer(call: Call, client: str = "", version: int = PROTOCOLS[-1]) -> dict[str, Any]:
        if version not in PROTOCOLS:
            spoken = ", ".join(map(str, PROTOCOLS))
            raise XendError(
                "unsupported", f"version {version} of the protocol is not spoken here, only {spoken}"
            )
        methods = call.methods.names(call.access)
        return {**about, "protocol": version, "access": call.access, "methods": methods}

    return Method("hello", "read", {"client": optional(TEXT), "version": optional(NUMBER)}, answer)
