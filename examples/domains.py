"""List the domains that xend knows, with their devices, with the blocking client.

    python examples/domains.py

needs a running xend; $XEND_SOCKET names its socket if that is not in the usual place.  It prints a line for
each domain, by domid (`-` while a domain waits for its next life), and one for each of its devices, with its
state by xenbus's numbers (4 is connected):

    0    Domain-0         4096 MiB  running
    1    web               512 MiB  running
           vif 0     4
           vbd xvda  4
"""

import sys
from typing import Any

from xenclient.xend.blocking import Client
from xenclient.xend.errors import ClientError


def show(domain: dict[str, Any]) -> None:
    domid = "-" if domain["domid"] is None else domain["domid"]
    print(f"{domid:<4} {domain['name']:<14} {domain['memory_kib'] // 1024:>6} MiB  {domain['state']}")
    for device in domain["devices"]:
        print(f"       {device['name']:<9} {device['state']}")


def main() -> None:
    try:
        with Client() as client:
            for domain in client.domains():
                show(domain)
    except ClientError as error:
        sys.exit(f"domains: {error}")


if __name__ == "__main__":
    main()
