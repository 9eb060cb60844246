"""What a watcher may be told of a directory where somebody makes node after node, removing the old ones.

Node n is made, then n - KEPT removed, then n + 1 made.  The event of a removal may be missing, if that of
the making was unsent by then (same text); everything else comes once, in this order.
"""

#: How many nodes there are at a time.
KEPT = 8


class Events:
    """The events of one watch.

    Attributes:
        made: the last node whose making was told, or None.
    """

    def __init__(self, base: bytes, token: bytes) -> None:
        self.base = base
        self.token = token
        self.made: int | None = None
        self._begun = False
        self._is_only_one = False
        self._removed = -1

    def take(self, path: bytes) -> None:
        """The next one."""
        if not self._begun:
            assert path == self.base, f"{self.token!r}: the first event of {self.base!r} is of {path!r}"
            self._begun = True
            return
        directory, _, name = path.rpartition(b"/")
        assert directory == self.base, f"{self.token!r}: an event of {path!r}"
        self._take_node(int(name))

    def _take_node(self, number: int) -> None:
        if self.made is None:
            # It may be a removal, if the watch came between: then the next one is of number + KEPT + 1.
            self.made, self._is_only_one = number, True
            return
        after_removal = self._is_only_one and number == self.made + KEPT + 1
        self._is_only_one = False
        if number == self.made + 1 or after_removal:
            self.made = number
            return
        told = f"{self.token!r}: {number} after {self.made} was made and {self._removed} removed"
        assert number == self.made - KEPT, told
        assert number > self._removed, told
        self._removed = number

    def is_complete(self, last: int) -> bool:
        """Whether all was told up to the making of node `last`, after which an older one was removed."""
        return self.made in (None, last) or (self._is_only_one and self.made == last - KEPT)

    def follow(self, before: "Events") -> None:
        """Another watch on the same, that was set first, is removed: both were told the same in between."""
        if before.made is None or self._is_only_one or before._is_only_one:
            return
        assert self.made in (None, before.made), f"{self.token!r}: {self.made}, but {before.made}"
        self.made = before.made
