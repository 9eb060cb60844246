"""The memory of the simulated host, which runs out."""

PAGE_KIB = 4


def in_pages(kib: int) -> int:
    """So many KiB in whole pages, rounded up."""
    return -(-kib // PAGE_KIB) * PAGE_KIB


class Memory:
    """What domains may take: what is neither used nor claimed."""

    def __init__(self, free_kib: int) -> None:
        self.free_kib = free_kib

    def take(self, kib: int) -> bool:
        """All of it or nothing: whether there was so much."""
        if kib > self.free_kib:
            return False
        self.free_kib -= kib
        return True

    def give(self, kib: int) -> None:
        """It is free again."""
        self.free_kib += kib
