"""On which CPUs a simulated vCPU may run."""

import errno
from collections.abc import Sequence

import attrs

from xend.hypervisor import HypervisorError


@attrs.frozen
class Affinity:
    """Where it may run (hard) and should run (soft): numbers of CPUs, rising."""

    hard: tuple[int, ...]
    soft: tuple[int, ...]

    def changed(
        self, hard: Sequence[int] | None, soft: Sequence[int] | None, pool: Sequence[int]
    ) -> "Affinity":
        """This one with other CPUs, as far as they are in the pool; None: as it was.

        Raises:
            HypervisorError: EINVAL: none of them is.
        """
        return Affinity(_within(hard, self.hard, pool), _within(soft, self.soft, pool))


def _within(wanted: Sequence[int] | None, before: tuple[int, ...], pool: Sequence[int]) -> tuple[int, ...]:
    if wanted is None:
        return before
    found = tuple(sorted(set(wanted) & set(pool)))
    if not found:
        raise HypervisorError(errno.EINVAL, f"none of the CPUs {list(wanted)} is in the pool {list(pool)}")
    return found
