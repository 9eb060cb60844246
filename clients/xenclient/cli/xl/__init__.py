"""xl, the command line of xend; called as xm it lists domains as xm did.

`table` has a row for each sub-command; its module, in `commands`, is imported only if it is called.
"""

from __future__ import annotations


def main() -> int:
    """Run the program; returns its exit status."""
    from xenclient.cli.xl.program import main as program

    return program()
