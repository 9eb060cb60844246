"""xl create -F: wait until a domain is gone for good, through its restarts."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.xend.blocking import Client

GONE = ("destroyed", "reaped")


class Life:
    """The events of all domains from now on."""

    def __init__(self, client: Client) -> None:
        self._events = client.events(kinds=["domain"])

    def wait(self, uuid: str) -> None:
        """Until the domain of this UUID is gone and comes not back."""
        restarting = False
        for event in self._events:
            what = event["what"]
            if event.get("uuid") != uuid:
                continue
            # Whoever ends it between two lives says so in a reason.
            if what in GONE and (not restarting or "reason" in event):
                return
            restarting = what == "restarting" or (restarting and what not in ("created", "waiting"))
