"""The order of rc.d scripts, as rcorder(8) puts them by their PROVIDE, REQUIRE, BEFORE and KEYWORD lines.

Also a program: `order.py [-k KEYWORD] [-s KEYWORD] FILE ...` prints the files in order.
"""

import argparse
import graphlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

KINDS = ("PROVIDE", "REQUIRE", "BEFORE", "KEYWORD")


class Header:
    """What a script says of itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.words: dict[str, list[str]] = {kind: [] for kind in KINDS}
        began = False
        for line in path.read_text().splitlines():
            kind, colon, words = line.removeprefix("# ").partition(":")
            if line.startswith("# ") and colon and kind in KINDS:
                self.words[kind] += words.split()
                began = True
            elif began:
                break  # one block of lines, and nothing of it later


def ordered(paths: Iterable[Path]) -> list[Header]:
    """The scripts in an order that fulfils all that they ask for; names that nobody provides do not count.

    Raises:
        graphlib.CycleError: there is none.
    """
    headers = [Header(path) for path in sorted(paths)]
    providers = {name: header.path for header in headers for name in header.words["PROVIDE"]}
    sorter: graphlib.TopologicalSorter[Path] = graphlib.TopologicalSorter()
    for header in headers:
        wanted = [providers[name] for name in header.words["REQUIRE"] if name in providers]
        sorter.add(header.path, *wanted)
        for name in header.words["BEFORE"]:
            if name in providers:
                sorter.add(providers[name], header.path)
    by_path = {header.path: header for header in headers}
    return [by_path[path] for path in sorter.static_order()]


def main(arguments: Sequence[str]) -> int:
    """Prints the order; returns the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-k", dest="keep")
    parser.add_argument("-s", dest="skip")
    parser.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args(arguments)
    for header in ordered(options.files):
        keywords = header.words["KEYWORD"]
        if (options.keep is None or options.keep in keywords) and options.skip not in keywords:
            print(header.path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
