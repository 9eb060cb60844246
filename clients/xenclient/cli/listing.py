"""The tree that xenstore-ls prints.

Source: facts of xenstore-utils 4.17, compared in tests/peers/test_programs.py.
"""

from __future__ import annotations

import os

from xenclient.cli.output import Failure, Output, log, strerror
from xenclient.cli.streams import as_json
from xenclient.cli.values import escape
from xenclient.store.errors import ClientError
from xenclient.store.strings import encode
from xenstore.errors import ENOENT, XenstoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.store.blocking import Client

WIDTH_COLUMNS = 80
#: Where permissions begin, if the line is not longer.
PERMS_COLUMN = 60
#: How many lines of a long listing are printed at once.
FLUSH_LINES = 1000
#: What a name and a cut value need besides themselves: ` = "..."`.
_AROUND = 8


class Listing:
    """One run of xenstore-ls."""

    def __init__(self, client: Client, output: Output, program: bytes, flat: bool, perms: bool) -> None:
        self._client = client
        self._output = output
        self._program = program
        self._flat = flat
        self._perms = perms
        self._width = _width(flat)
        self._lines = 0

    def show(self, path: bytes) -> None:
        """Print everything below `path`, children after their parent.

        Raises:
            Failure: a directory cannot be listed; one that vanished meanwhile is passed over.
        """
        pending = [(child, 0) for child in self._children(path, 0)]
        while pending:
            self._lines += 1
            if self._lines % FLUSH_LINES == 0:
                self._output.flush()
            node, depth = pending.pop()
            self._node(node, depth)
            pending += [(child, depth + 1) for child in self._children(node, depth + 1)]

    def _children(self, path: bytes, depth: int) -> list[bytes]:
        """The children's paths, last one first."""
        try:
            names = self._client.directory(path)
        except (XenstoreError, ClientError) as error:
            if depth and isinstance(error, ENOENT):
                return []
            self._output.flush()
            text = b"%s: xs_directory (%s): %s" % (os.path.basename(self._program), path, strerror(error))
            raise Failure(text) from error
        above = path if path.endswith(b"/") else path + b"/"
        return [above + encode(name) for name in reversed(names)]

    def _node(self, path: bytes, depth: int) -> None:
        item: dict[str, object] = {"path": os.fsdecode(path)}
        start = path if self._flat else self._indented(path, depth)
        try:
            value = self._client.read(path)
        except XenstoreError:
            line = start + b":\n"
        else:
            item["value"] = as_json(value)
            line = self._valued(start, value)
        if self._perms:
            line += self._permissions(path, item)
        self._output.add(line + b"\n", item)

    def _indented(self, path: bytes, depth: int) -> bytes:
        return b" " * depth + _cut(path.rpartition(b"/")[2], self._width - _AROUND - depth)

    def _valued(self, start: bytes, value: bytes) -> bytes:
        shown = escape(value)
        used = 0 if self._flat else len(start)
        if 0 <= self._width < used + len(value) + _AROUND:
            return start + b' = "' + _cut(shown, self._width - _AROUND - used) + b'\\..."'
        line = start + b' = "' + shown + b'"'
        return line + self._leader(len(line)) if self._perms else line

    def _leader(self, column: int) -> bytes:
        """A blank, then dots at every other column up to where the permissions begin."""
        end = 0 if self._flat else min(PERMS_COLUMN, self._width)
        return b" " + b"".join(b". "[(at + 1) % 2 :][:1] for at in range(column + 1, end))

    def _permissions(self, path: bytes, item: dict[str, object]) -> bytes:
        try:
            perms = [str(perm) for perm in self._client.get_perms(path)]
        except (XenstoreError, ClientError) as error:
            name = path.rpartition(b"/")[2]
            log(b"\ncould not access permissions for " + name + b": " + strerror(error), self._program)
            return b""
        item["perms"] = perms
        return b"  (" + ",".join(perms).encode() + b")"


def _cut(text: bytes, size: int) -> bytes:
    """As printf's precision: a negative one is none."""
    return text if size < 0 else text[:size]


def _width(flat: bool) -> int:
    """Columns to fill; below zero is no limit."""
    try:
        return os.get_terminal_size(1).columns - 2
    except OSError:
        return -1 if flat else WIDTH_COLUMNS
