"""xentop, and what `xl top` runs: the load of all domains, on a screen or, for programs, line by line.

What is printed with -b is read by programs by place: it is what Xen's xentop 4.17 prints, byte for byte.
"""

from __future__ import annotations


def main() -> int:
    """Run xentop; returns its exit status."""
    from xenclient.cli.top.program import main as program

    return program()
