"""xenstore-ls, -read, -write, -rm, -list, -exists, -chmod and -watch: options, text and exit status are those
of Xen's programs (xenstore-utils 4.17), plus --json.

Paths and values are bytes throughout, as the shell passed them.
"""

from __future__ import annotations

import os

from xenclient.cli import output
from xenclient.cli.invocation import Invocation
from xenclient.cli.options import atoi
from xenclient.cli.output import RECONNECT_SECONDS, REFUSED, TIMEOUT_SECONDS, Output
from xenclient.cli.streams import as_json
from xenclient.cli.values import escape, unescape
from xenclient.store.blocking import Client
from xenclient.store.errors import ClientError, ConnectError
from xenclient.store.perms import Perm
from xenclient.store.strings import encode
from xenstore.errors import XenstoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenclient.store.blocking import Transaction
    from xenclient.store.blocking_link import UnixSocket

    Tree = Client | Transaction


def _main(mode: str, body: Callable[[Client, Invocation], int]) -> Callable[[], int]:
    """The program xenstore-MODE; what it returns is the exit status."""

    def run(argv: list[bytes], out: Output) -> int:
        call = Invocation(mode, argv, out)
        try:
            connect = _beside_reader(call.path) if mode == "watch" else None
            client = Client(call.path, timeout=TIMEOUT_SECONDS, reconnect=RECONNECT_SECONDS, connect=connect)
        except ConnectError as error:
            raise call.failure(b"xs_open: " + output.strerror(error)) from error
        with client:
            return body(client, call)

    return lambda: output.run(run)


def _beside_reader(path: str | None) -> Callable[[], UnixSocket]:
    """Makes a connection on which is waited no longer than somebody reads standard output."""
    from xenclient.cli.reader import Reader
    from xenclient.store.address import Address
    from xenclient.store.blocking_link import UnixSocket

    reader, address = Reader(), Address(path)

    class Socket(UnixSocket):
        def receive(self, size: int, timeout: float | None) -> bytes:
            reader.wait([self.fileno()], timeout)
            return super().receive(size, timeout)

    return lambda: Socket(address.open())


def _in_transaction(body: Callable[[Tree, Invocation], int]) -> Callable[[Client, Invocation], int]:
    """The program whose requests, if there are several, are one transaction; a failure rolls it back."""

    def program(client: Client, call: Invocation) -> int:
        if _one_request(call):
            return body(client, call)
        started = False

        def attempt(transaction: Transaction) -> int:
            nonlocal started
            started = True
            call.out.clear()
            return body(transaction, call)

        try:
            return client.run_transaction(attempt)
        except (XenstoreError, ClientError) as error:
            call.out.clear()
            text = b"couldn't end transaction" if started else b"couldn't start transaction"
            raise call.failure(text) from error

    return program


def _one_request(call: Invocation) -> bool:
    words = 2 if call.mode in ("write", "chmod") else 1
    return len(call.arguments) == words and call.flags.isdisjoint("tur")


def _ls(client: Client, call: Invocation) -> int:
    from xenclient.cli.listing import Listing  # only this program needs it

    listing = Listing(client, call.out, call.argv0, "f" in call.flags, "p" in call.flags)
    for path in call.arguments or [b"/"]:
        listing.show(path)
    return 0


def _read(tree: Tree, call: Invocation) -> int:
    for path in call.arguments:
        try:
            value = tree.read(path)
        except REFUSED as error:
            raise call.failure(b"couldn't read path " + path) from error
        prefix = path + b": " if "p" in call.flags else b""
        text = value if "R" in call.flags else escape(value) + b"\n"
        call.out.add(prefix + text, {"path": os.fsdecode(path), "value": as_json(value)})
    return 0


def _write(tree: Tree, call: Invocation) -> int:
    for path, text in zip(call.arguments[::2], call.arguments[1::2], strict=True):
        value = text if "R" in call.flags else unescape(text)
        try:
            tree.write(path, value)
        except REFUSED as error:
            raise call.failure(b"could not write path " + path) from error
        call.out.add(b"", {"path": os.fsdecode(path), "value": as_json(value)})
    return 0


def _rm(tree: Tree, call: Invocation) -> int:
    for path in call.arguments:
        removed: bytes | None = path
        while removed is not None:
            try:
                tree.rm(removed)
            except REFUSED as error:
                raise call.failure(b"could not remove path " + removed) from error
            call.out.add(b"", {"path": os.fsdecode(removed)})
            removed = _empty_parent(tree, removed) if "t" in call.flags else None
    return 0


def _empty_parent(tree: Tree, path: bytes) -> bytes | None:
    """The node above, if it has neither value nor children left."""
    parent = path.rpartition(b"/")[0]
    if not parent:
        return None
    try:
        return None if tree.read(parent) or tree.directory(parent) else parent
    except XenstoreError:
        return None


def _list(tree: Tree, call: Invocation) -> int:
    for path in call.arguments:
        try:
            names = tree.directory(path)
        except REFUSED as error:
            raise call.failure(b"could not list path " + path) from error
        prefix = path + b"/" if "p" in call.flags else b""
        text = b"".join([prefix + encode(name) + b"\n" for name in names])
        call.out.add(text, {"path": os.fsdecode(path), "children": names})
    return 0


def _exists(tree: Tree, call: Invocation) -> int:
    """Status 1 at the first node that cannot be read, whatever the reason; nothing is printed."""
    for path in call.arguments:
        try:
            tree.read(path)
        except XenstoreError:
            call.out.add(b"", {"path": os.fsdecode(path), "exists": False})
            return 1
        except ClientError as error:
            raise call.failure(b"could not read path " + path) from error
        call.out.add(b"", {"path": os.fsdecode(path), "exists": True})
    return 0


def _chmod(tree: Tree, call: Invocation) -> int:
    path, *modes = call.arguments
    perms = [_perm(mode, call) for mode in modes]
    _set_perms(tree, call, path, perms)
    if "u" in call.flags:
        _chmod_above(tree, call, path, perms)
    if "r" in call.flags and path:
        _chmod_below(tree, call, path, perms)
    return 0


def _chmod_above(tree: Tree, call: Invocation, path: bytes, perms: list[Perm]) -> None:
    while path:
        above, slash, _ = path.rpartition(b"/")
        if not slash:
            raise call.failure(b"Unable to locate path separator '/' in '" + path + b"'")
        _set_perms(tree, call, above, perms)
        path = above


def _chmod_below(tree: Tree, call: Invocation, path: bytes, perms: list[Perm]) -> None:
    """Each node before its children; a directory that cannot be listed is passed over."""
    pending = [path]
    while pending:
        node = pending.pop()
        if node is not path:
            _set_perms(tree, call, node, perms)
        try:
            names = tree.directory(node)
        except XenstoreError:
            continue
        pending += [node + b"/" + encode(name) for name in reversed(names)]


def _set_perms(tree: Tree, call: Invocation, path: bytes, perms: list[Perm]) -> None:
    if not path:
        return
    try:
        tree.set_perms(path, perms)
    except REFUSED as error:
        text = b"Error occurred setting permissions on '%s': %s" % (path, output.strerror(error))
        raise call.failure(text) from error
    call.out.add(b"", {"path": os.fsdecode(path), "perms": [str(perm) for perm in perms]})


def _perm(mode: bytes, call: Invocation) -> Perm:
    try:
        return Perm(mode[:1].decode("latin-1"), atoi(mode[1:]))
    except ValueError:
        raise call.failure(b"Invalid permission specification: '%s'" % (mode[:1] or b"\0")) from None


def _watch(client: Client, call: Invocation) -> int:
    """Print the path of each event as it comes, `count` of them, or for ever if that is -1."""
    path, *others = call.arguments
    left = call.count
    try:
        with client.watch(path, path) as stream:
            for path in others:
                stream.add(path, path)
            while left > 0 or call.count == -1:
                event = stream.next()
                call.out.add(encode(event.path) + b"\n", {"path": event.path, "token": event.token})
                call.out.flush_item()
                left -= 1
    except XenstoreError as error:
        raise call.failure(b"Unable to add watch on " + path + b"\n") from error
    except ClientError as error:
        raise call.failure(os.fsencode(str(error))) from error
    return 0


ls = _main("ls", _ls)
read = _main("read", _in_transaction(_read))
write = _main("write", _in_transaction(_write))
rm = _main("rm", _in_transaction(_rm))
list_ = _main("list", _in_transaction(_list))
exists = _main("exists", _in_transaction(_exists))
chmod = _main("chmod", _in_transaction(_chmod))
watch = _main("watch", _watch)
