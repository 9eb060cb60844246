"""How xl fails by itself; what xend refuses is a BusError."""

from __future__ import annotations


class Failure(Exception):
    """One line for the person at the terminal.

    Attributes:
        message: what is wrong, with what.
        hint: what to do; may be empty; PROGRAM stands for the name the program was called by.
        status: of the program.
    """

    def __init__(self, message: str, hint: str = "", status: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = status

    def as_map(self, program: str) -> dict[str, object]:
        """As --json prints it; a hint that names the program names the one that was called."""
        if not self.hint:
            return {"message": self.message}
        return {"message": self.message, "hint": self.hint.replace("PROGRAM", program)}


def usage_error(name: str, arguments: str, text: str) -> Failure:
    """The error of a sub-command that was called with wrong options or arguments; its usage is the hint, or
    where that is its name alone, what tells its options."""
    hint = f"usage: PROGRAM {name} {arguments}" if arguments else f"PROGRAM help {name} tells its options"
    return Failure(f"{name}: {text}", hint=hint)
