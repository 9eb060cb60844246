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
        """This one with other CPUs; None: as it was.

        Raises:
            HypervisorError: EINVAL: none of them is in the pool.
        """
        return Affinity(_within(hard, self.hard, pool), _within(soft, self.soft, pool))


def everywhere(cpus: int) -> Affinity:
    """That of a virtual CPU of which nothing was said, on a host with so many CPUs."""
    return Affinity(tuple(range(cpus)), tuple(range(cpus)))


def _within(wanted: Sequence[int] | None, before: tuple[int, ...], pool: Sequence[int]) -> tuple[int, ...]:
    if wanted is None:
        return before
    if not set(wanted) & set(pool):
        raise HypervisorError(errno.EINVAL, f"none of the CPUs {list(wanted)} is in the pool {list(pool)}")
    return tuple(sorted(set(wanted)))
