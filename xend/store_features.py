"""What the store under xend offers, which may be one of Xen's own."""

import trio

from xenclient.store.aio import Client
from xenstore.errors import XenstoreError

#: How long it may take to say so, in seconds.
ANSWER_SECONDS = 2.0


async def store_features(store: Client) -> int | None:
    """The bits of GET_FEATURE (xen/include/public/io/xs_wire.h); None: this store has no such request.

    Xen's C xenstored of 4.17 refuses it; oxenstored never answers one that it does not know.

    Raises:
        ClientError: the store is gone.
    """
    try:
        with trio.move_on_after(ANSWER_SECONDS):
            features: int = await store.get_feature()
            return features
    except XenstoreError:
        pass
    return None
