"""One entry of a node's permission list, `<access><domid>` on the wire (xenstore-protocol.md 6)."""

from __future__ import annotations


class Perm(tuple[str, int]):
    """Immutable: an access right and the domid it is given to.

    In a list, the first entry names the node's owner and the right of every domain not listed; each
    later entry gives one domain its right.

    Attributes:
        access: "r" read, "w" write, "b" both, "n" none.
        domid: 0 to 65535; what else a server lists is kept as it is.
    """

    __slots__ = ()

    def __new__(cls, access: str, domid: int) -> Perm:
        if access not in ("r", "w", "b", "n"):
            raise ValueError(f"access is {access!r}; expected one of r, w, b, n")
        return super().__new__(cls, (access, domid))

    @classmethod
    def parse(cls, text: str) -> Perm:
        """The entry that `text` spells, for instance "r0" or "n3".

        Raises:
            ValueError: it spells none.
        """
        digits = text[1:].removeprefix("-")
        if not (digits.isascii() and digits.isdigit()):
            raise ValueError(f"permission is {text!r}; expected r, w, b or n followed by a domid, as in r0")
        return cls(text[0], int(text[1:]))

    @property
    def access(self) -> str:
        return self[0]

    @property
    def domid(self) -> int:
        return self[1]

    def __str__(self) -> str:
        return f"{self.access}{self.domid}"

    def __repr__(self) -> str:
        return f"Perm({self.access!r}, {self.domid})"
