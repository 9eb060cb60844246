"""Who waits for a domain to end, told by whoever looks at all domains.

xenstored does not say whose end it was that it tells of.  If each of many who wait looked for itself then,
all of them ending would take as many looks as there are pairs of them.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from xend.hypervisor import DomainInfo


class Ends:
    """Callbacks by domid."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[Callable[[], object]]] = {}

    @contextmanager
    def awaited(self, domid: int, callback: Callable[[], object]) -> Iterator[None]:
        """In the block: `callback()` at each look that finds the domain shut down, dying or gone."""
        callbacks = self._waiting.setdefault(domid, [])
        callbacks.append(callback)
        try:
            yield
        finally:
            callbacks.remove(callback)
            if not callbacks:
                del self._waiting[domid]

    def looked(self, infos: Iterable[DomainInfo]) -> None:
        """All domains of the host, as they are now."""
        alive = {info.domid for info in infos if not (info.is_shutdown or info.is_dying)}
        for domid in [each for each in self._waiting if each not in alive]:
            for callback in list(self._waiting[domid]):
                callback()
