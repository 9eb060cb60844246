"""Sets of the host's CPUs as the hypervisor has them, a bit each (xenctl_bitmap in Xen's domctl.h)."""

import errno
from collections.abc import Iterable

from xend.hypervisor import HypervisorError
from xend.hypervisor.xen.calls import EXTRA_SIZE

#: Two of them fit the extra bytes of a call; Xen may be built for 16383 CPUs, but no host has so many.
BITMAP_SIZE = EXTRA_SIZE // 2
BITMAP_BITS = BITMAP_SIZE * 8


def bitmap_of(numbers: Iterable[int]) -> bytes:
    """BITMAP_SIZE bytes with these bits.

    Raises:
        HypervisorError: EINVAL: one of them is no CPU's number.
    """
    bits = 0
    for number in numbers:
        if not 0 <= number < BITMAP_BITS:
            raise HypervisorError(errno.EINVAL, f"the host has no CPU {number}")
        bits |= 1 << number
    return bits.to_bytes(BITMAP_SIZE, "little")


def numbers_of(bitmap: bytes) -> list[int]:
    """The numbers of the bits that are set, rising."""
    bits = int.from_bytes(bitmap, "little")
    return [number for number in range(bits.bit_length()) if bits >> number & 1]
