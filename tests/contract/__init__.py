"""Whether something is a Hypervisor: each sentence of the contract's docstrings, on one that runs.

    await check_hypervisor(maker)                                       a simulated host
    await check_hypervisor(maker, Guest(kernel=..., memory_kib=...))    a real one

`maker()` is an async context manager of a Hypervisor with at least three times the guest's memory free, on
which no test but this one makes domains.
"""

from tests.contract.bench import Guest
from tests.contract.check import check_hypervisor

__all__ = ["Guest", "check_hypervisor"]
