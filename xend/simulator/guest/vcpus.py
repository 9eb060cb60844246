"""Which of its virtual CPUs a kernel uses, as the store's cpu/N/availability say (toolstack.md 4)."""

from xend.simulator.store_client import StoreClient

#: The directory that is watched, relative to the domain's own.
CPUS = "cpu"


async def wanted(store: StoreClient, max_vcpus: int) -> set[int]:
    """The numbers of those that are to be online; the first always is.

    Raises:
        StoreError: the store does not tell.
    """
    words = await store.read_all([f"{CPUS}/{number}/availability" for number in range(max_vcpus)])
    return {number for number, word in enumerate(words) if not number or word != "offline"}
