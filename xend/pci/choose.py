"""Whose PCI functions there are: this system's, or a simulated host's."""

import os
from pathlib import Path

from xend.pci.cards import Cards
from xend.pci.linux import LinuxCards
from xend.pci.netbsd import NetbsdCards

__all__ = ["simulated_cards", "system_cards"]


def system_cards(platform: str) -> Cards:
    """Those of this system, as its kernel shows them."""
    return NetbsdCards() if platform == "netbsd" else LinuxCards()


def simulated_cards(directory: str | os.PathLike[str], platform: str) -> Cards:
    """Those of the simulated host in a directory."""
    from xend.simulator.card_board import CardBoard  # the real host needs none of it

    board = CardBoard(Path(directory), platform)
    return NetbsdCards(board.kernfs) if platform == "netbsd" else LinuxCards(board.sysfs, board.write)
