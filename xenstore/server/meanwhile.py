"""Clients are served while the rest of the program is imported.

A store that was killed answers again once its journal is read: trio, which takes longer to import than all of
that, is not needed for it.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

from xenstore._pump import Pump


class _Turning:
    """Stands before Python's finders of modules: each module that is looked for is a turn of the pump."""

    def __init__(self, pump: Pump) -> None:
        self._pump = pump
        self._turns = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Finds nothing, so that the next finder is asked."""
        if not self._turns:  # a turn may import something, too
            self._turns = True
            try:
                self._pump.turn(0)
            finally:
                self._turns = False
        return None


@contextmanager
def serving(pump: Pump) -> Iterator[None]:
    """What is imported inside of the block is interrupted, module by module, by turns that do not wait.

    A client waits for the slowest single module at most, some milliseconds.  Whatever a turn raises comes out
    of the import statement.
    """
    finder = _Turning(pump)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
