"""xl, the command line of xend; called as xm it lists domains as xm did.

`commands` is the table of what it can do, one module each does it; a sub-command imports only its own.
"""

from __future__ import annotations


def main() -> int:
    """Run the program; returns its exit status."""
    from xenclient.cli.xl.program import main as program

    return program()
