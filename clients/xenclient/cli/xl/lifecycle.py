"""What is done to one domain, without further ado: destroy, pause, unpause, rename, sysrq."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.cli.xl.call import Call


def destroy(call: Call) -> int:
    """xl destroy."""
    return _do(call, "domain.destroy")


def pause(call: Call) -> int:
    """xl pause."""
    return _do(call, "domain.pause")


def unpause(call: Call) -> int:
    """xl unpause."""
    return _do(call, "domain.unpause")


def rename(call: Call) -> int:
    """xl rename."""
    return _do(call, "domain.rename", name=call.arguments[1])


def sysrq(call: Call) -> int:
    """xl sysrq."""
    letter = call.arguments[1]
    if len(letter) != 1:
        raise call.usage(f"{letter!r} is not one letter")
    return _do(call, "domain.sysrq", letter=letter)


def _do(call: Call, method: str, **parameters: str) -> int:
    call.operate(method, domain=call.arguments[0], **parameters)
    return 0
