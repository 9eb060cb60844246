"""The control socket: MessagePack-RPC as docs/bus.md describes it, served without knowing what is called.

`open_listeners` opens the sockets, `serve` serves a list of `Method`s on them, `EventLog` is the stream of
events and `event_methods` the calls that subscribe to it.
"""

from xend.bus.connection import Connection
from xend.bus.events import EventLog
from xend.bus.hello import hello
from xend.bus.kinds import DATA, DOMAIN, FLAG, NUMBER, SECONDS, TEXT, TEXTS, choice, choices
from xend.bus.listeners import Listener, open_listeners
from xend.bus.methods import OPERATION, Call, Method, Methods, optional, required
from xend.bus.peer import Peer
from xend.bus.server import Server, serve
from xend.bus.streaming import Publish, WatchPaths, event_methods

__all__ = [
    "DATA", "DOMAIN", "FLAG", "NUMBER", "OPERATION", "SECONDS", "TEXT", "TEXTS",
    "Call", "Connection", "EventLog", "Listener", "Method", "Methods", "Peer", "Publish", "Server",
    "WatchPaths", "choice", "choices", "event_methods", "hello", "open_listeners", "optional", "required",
    "serve",
]  # fmt: skip
