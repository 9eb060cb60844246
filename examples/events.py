"""Follow what happens to domains and their devices, with the trio client.

    python examples/events.py [COUNT]

needs a running xend; $XEND_SOCKET names its socket if that is not in the usual place.  It prints from which
event on it listens, then each event as it comes, until COUNT were printed or it is interrupted:

    listening after event 16
    17 domain created web
    18 device added web vif 0

It listens on if xend is restarted meanwhile, and misses nothing.
"""

import sys
from typing import Any

import trio

from xenclient.xend.aio import Client
from xenclient.xend.errors import ClientError


def show(event: dict[str, Any]) -> None:
    words = [event["seq"], event["kind"], event["what"], event.get("name"), event.get("device")]
    print(*(word for word in words if word is not None), flush=True)


async def main(count: int | None) -> None:
    async with Client() as client, client.events(kinds=["domain", "device"]) as events:
        print("listening after event", events.seq, flush=True)
        printed = 0
        while printed != count:
            show(await events.next())
            printed += 1


if __name__ == "__main__":
    try:
        trio.run(main, int(sys.argv[1]) if sys.argv[1:] else None)
    except ClientError as error:
        sys.exit(f"events: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
