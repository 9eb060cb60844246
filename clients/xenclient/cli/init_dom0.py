"""xen-init-dom0: what the toolstack expects to find of dom0 in the store, with the texts and exit statuses of
Xen's program (4.17).

That one also asks the hypervisor for the cpupools and tells it dom0's UUID.  This one talks to the store
alone: of the pools it names the one that every hypervisor has, and says that the UUID stays as it is.
Status 0 done, or was done before; 1 not.
"""

from __future__ import annotations

import re

from xenclient.cli import output
from xenclient.cli.output import REFUSED, TIMEOUT_SECONDS, Failure, Output, strerror
from xenclient.store.blocking import Client
from xenclient.store.errors import ConnectError
from xenstore.errors import ENOENT

DOMID = b"/local/domain/0/domid"
NAME = b"/local/domain/0/name"
#: Each node with its value, and Xen's words when it cannot be written.
NODES = (
    (DOMID, b"0", b"cannot set domid for Dom0"),
    (NAME, b"Domain-0", b"cannot set domain name for Dom0"),
    (b"/local/pool/0/name", b"Pool-0", b"cannot set pool name"),
)

#: As libxl takes it: 32 hexadecimal digits, hyphens between them allowed.
UUID = re.compile(rb"-*([0-9a-fA-F]-*){32}")


def main() -> int:
    return output.run(_main)


def _main(argv: list[bytes], out: Output) -> int:
    if len(argv) > 2:
        raise Failure(b"too many arguments")
    try:
        client = Client(timeout=TIMEOUT_SECONDS, reconnect=0)
    except ConnectError as error:
        raise Failure(b"cannot open xenstore connection: " + strerror(error)) from error
    with client:
        if _exists(client, DOMID) and _exists(client, NAME):
            output.tell(b"Dom0 is already set up")
            return 0
        if len(argv) == 2:
            _look_at_uuid(argv)
        for path, value, failure in NODES:
            try:
                client.write(path, value)
            except REFUSED as error:
                raise Failure(failure + b": " + strerror(error)) from error
    out.add(b"Done setting up Dom0\n", None)
    return 0


def _exists(client: Client, path: bytes) -> bool:
    try:
        client.read(path)
    except ENOENT:
        return False
    except REFUSED as error:
        raise Failure(path + b": " + strerror(error)) from error
    return True


def _look_at_uuid(argv: list[bytes]) -> None:
    if not UUID.fullmatch(argv[1]):
        raise Failure(b"failed to parse UUID " + argv[1])
    output.complain(argv[0], b"dom0's UUID stays as it is: only the hypervisor could change it")
