"""Count in the store from several tasks at once, each step a transaction, with the trio client.

    python examples/store_transaction.py

needs a running xenstored; $XENSTORED_PATH names its socket if that is not in the usual place.  Five tasks add
one ten times each to the same node, /tool/example-counter, which is removed in the end.  Steps that come
between each other are refused (EAGAIN) and done again by `run_transaction`, so none is lost; it prints:

    5 tasks counted to 50
"""

import sys

import trio

from xenclient.store.aio import Client, Transaction
from xenclient.store.errors import ClientError
from xenstore.errors import XenstoreError

NODE = "/tool/example-counter"
TASKS = 5
STEPS = 10


async def add_one(transaction: Transaction) -> None:
    """May run several times, so it changes nothing but the store, through its transaction."""
    number = int(await transaction.read(NODE))
    await transaction.write(NODE, str(number + 1))


async def count(client: Client) -> None:
    for _ in range(STEPS):
        await client.run_transaction(add_one)


async def main() -> None:
    async with Client() as client:
        await client.write(NODE, "0")
        async with trio.open_nursery() as nursery:
            for _ in range(TASKS):
                nursery.start_soon(count, client)
        print(TASKS, "tasks counted to", (await client.read(NODE)).decode())
        await client.rm(NODE)


if __name__ == "__main__":
    try:
        trio.run(main)
    # A task's error comes out of the nursery in a group.
    except* (ClientError, XenstoreError) as errors:
        sys.exit(f"store_transaction: {errors.exceptions[0]}")
