"""operation.*"""

from typing import Any

from xend.bus.kinds import TEXT
from xend.bus.methods import Call, Method, required
from xend.errors import XendError
from xend.operation.registry import OperationRegistry


def operation_methods(operations: OperationRegistry) -> list[Method]:
    """The methods, over all operations."""

    async def list_(call: Call) -> list[dict[str, Any]]:
        return [operation.as_map() for operation in operations.all()]

    async def show(call: Call, operation: str) -> dict[str, Any]:
        return operations.find(operation).as_map()

    async def wait(call: Call, operation: str) -> dict[str, Any]:
        return await operations.find(operation).outcome()

    async def cancel(call: Call, operation: str) -> dict[str, Any]:
        found = operations.find(operation)
        if found.ended.is_set():
            raise XendError("wrong_state", f"operation {operation} has ended: {found.state}")
        found.cancel()
        return {}

    one = {"operation": required(TEXT)}
    return [
        Method("operation.list", "read", {}, list_),
        Method("operation.show", "read", one, show),
        Method("operation.wait", "read", one, wait, cancel_on_close=True),
        Method("operation.cancel", "operate", one, cancel),
    ]
