"""Write a node of the store, read it and follow its changes, with the blocking client.

    python examples/store_watch.py

needs a running xenstored; $XENSTORED_PATH names its socket if that is not in the usual place.  It works below
/tool/example, which it removes in the end, and prints:

    read: red
    /tool/example/colour is red
    /tool/example/colour is green
    /tool/example is gone

The second line comes of the event that every new watch begins with.
"""

import sys

from xenclient.store.blocking import Client
from xenclient.store.errors import ClientError
from xenstore.errors import ENOENT, XenstoreError

TOP = "/tool/example"
NODE = f"{TOP}/colour"


def follow(client: Client) -> None:
    client.write(NODE, "red")
    print("read:", client.read(NODE).decode())
    with client.watch(TOP) as watch:
        show(client, watch.next(seconds=10).path)
        client.write(NODE, "green")
        show(client, watch.next(seconds=10).path)
        client.rm(TOP)
        show(client, watch.next(seconds=10).path)


def show(client: Client, path: str) -> None:
    """An event says where something changed, or may have; what is there now has to be read."""
    try:
        value = client.read(NODE).decode()
    except ENOENT:
        print(path, "is gone")
    else:
        print(NODE, "is", value)


def main() -> None:
    try:
        with Client() as client:
            follow(client)
    except (ClientError, XenstoreError) as error:
        sys.exit(f"store_watch: {error}")


if __name__ == "__main__":
    main()
