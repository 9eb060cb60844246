"""xen-init-dom0: what the toolstack expects to find of dom0 in the store, with the texts and exit statuses of
Xen's program (4.17).

That one also tells the hypervisor dom0's UUID; this one only asks it for the cpupools, and says that the UUID
stays as it is.  Status 0 done, or was done before; 1 not.
"""

from __future__ import annotations

import os
import re

from xenclient.cli import output
from xenclient.cli.output import REFUSED, TIMEOUT_SECONDS, Failure, Output, strerror
from xenclient.store.blocking import Client
from xenclient.store.errors import ConnectError
from xenstore.errors import ENOENT

DOMID = b"/local/domain/0/domid"
NAME = b"/local/domain/0/name"

#: A node, its value, and Xen's words when it cannot be written.
Node = tuple[bytes, bytes, bytes]

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
            output.log(b"Dom0 is already set up")
            return 0
        if len(argv) == 2:
            _look_at_uuid(argv)
        for path, value, failure in _nodes(argv):
            try:
                client.write(path, value)
            except REFUSED as error:
                raise Failure(failure + b": " + strerror(error)) from error
    out.add(b"Done setting up Dom0\n", None)
    return 0


def _nodes(argv: list[bytes]) -> list[Node]:
    return [
        (DOMID, b"0", b"cannot set domid for Dom0"),
        (NAME, b"Domain-0", b"cannot set domain name for Dom0"),
        *(
            (b"/local/pool/%d/name" % pool, b"Pool-%d" % pool, b"cannot set pool name")
            for pool in _cpupools(argv)
        ),
    ]


def _cpupools(argv: list[bytes]) -> list[int]:
    """The host's; if its hypervisor cannot be asked, that is said, and there is the one that each has."""
    # Only here, so that nothing else of this package knows of hypervisors.
    from xenstore.platform import Unavailable, cpupools

    try:
        return cpupools.of_this_host()
    except Unavailable as error:
        output.log(b"of the cpupools only Pool-0 is named: " + os.fsencode(str(error)), argv[0])
        return [0]


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
    output.log(b"dom0's UUID stays as it is: only the hypervisor could change it", argv[0])
