"""The kernels of a guest with their xenbus devices, on a store of ours: at the file's boundary, by the rules
that Linux's and NetBSD's were seen to have (see xenclient.store.device).

A rule that a client breaks without the kernel refusing is noted in `Kernel.broken`.
"""

import errno
import os
import threading
from collections.abc import Callable
from typing import NamedTuple

from tests.conformance.in_process import Hypervisor
from tests.peers.wire import Message, split_message
from xenstore.store import Store
from xenstore.wire import HEADER, HEADER_SIZE, MessageType, pack

DOMID = 5
HOME = b"/local/domain/5"
BUFFER_BYTES = 4096

NETBSD_CARRIES = {
    "TRANSACTION_START", "TRANSACTION_END", "DIRECTORY", "READ", "GET_PERMS", "RELEASE", "GET_DOMAIN_PATH",
    "WRITE", "MKDIR", "RM", "SET_PERMS",
}  # fmt: skip


class Waiting(NamedTuple):
    """A request of the kernel's that is not answered yet."""

    caller: Message
    answered: Callable[[Message], None]


class Kernel:
    """One domain's connection to the store; shared by all openings of its device.

    Attributes:
        opened, closed: how often the device was.
        broken: the rules that were broken.
        refusals: the errnos that the next writes which complete a message fail with.
        events: paths of events for the kernel's own watch, on the domain's `data` node.
    """

    def __init__(self) -> None:
        hypervisor = Hypervisor()
        hypervisor.domains.add(DOMID)
        self.store = Store(hypervisor=hypervisor)
        self._toolstack = self.store.connect()
        self.store.connect_domain(DOMID)
        session = self.store.session_of(DOMID)
        assert session is not None
        self._session = session
        self.changed = threading.Condition(threading.RLock())
        self.opened = self.closed = 0
        self.broken: list[str] = []
        self.refusals: list[int] = []
        self.events: list[bytes] = []
        self.watches: dict[bytes, Callable[[bytes], None]] = {}
        self._output = bytearray()
        self._waiting: dict[int, Waiting] = {}
        self._unsent: list[bytes] | None = None
        self._last_id = 0
        self._last_token = 0xFFFF888000000000
        self.toolstack(MessageType.MKDIR, HOME + b"\0")
        self.toolstack(MessageType.SET_PERMS, HOME + b"\0n5\0")
        self.toolstack(MessageType.WRITE, HOME + b"/name\0guest")
        with self.changed:
            self.watch(HOME + b"/data", self.events.append)

    def toolstack(self, type: int, payload: bytes) -> None:
        """A request of dom0's, which must be granted; the guest's kernel gets its events."""
        with self.changed:
            self._toolstack.feed(pack(type, payload))
            assert HEADER.unpack_from(self._toolstack.take())[0] == type
            self._deliver()

    def value(self, path: bytes) -> bytes:
        """What dom0 reads there."""
        with self.changed:
            self._toolstack.feed(pack(MessageType.READ, path + b"\0"))
            return self._toolstack.take()[HEADER_SIZE:]

    def stop_xenstored(self) -> None:
        """What is sent from now on waits in the ring."""
        with self.changed:
            self._unsent = []

    def start_xenstored(self) -> None:
        with self.changed:
            unsent, self._unsent = self._unsent or [], None
            for message in unsent:
                self._session.feed(message)
            self._deliver()

    def request(self, message: Message, answered: Callable[[Message], None]) -> None:
        """Send it under an id of the kernel's; the answer has the caller's again."""
        self._last_id += 1
        self._waiting[self._last_id] = Waiting(message, answered)
        data = pack(message.type, message.payload, req_id=self._last_id, tx_id=message.tx_id)
        if self._unsent is None:
            self._session.feed(data)
            self._deliver()
        else:
            self._unsent.append(data)

    def ask(self, message: Message) -> Message:
        """The answer, waited for."""
        answers: list[Message] = []
        self.request(message, answers.append)
        self.changed.wait_for(lambda: answers)
        return answers[0]

    def watch(self, path: bytes, fired: Callable[[bytes], None]) -> tuple[bytes, Message]:
        """Set a watch with a token of the kernel's own; the token and the answer."""
        self._last_token += 64
        token = b"%X" % self._last_token
        self.watches[token] = fired
        return token, self.ask(Message(MessageType.WATCH, 0, 0, path + b"\0" + token + b"\0"))

    def unwatch(self, path: bytes, token: bytes) -> None:
        del self.watches[token]
        self.ask(Message(MessageType.UNWATCH, 0, 0, path + b"\0" + token + b"\0"))

    def _deliver(self) -> None:
        self._output += self._session.take()
        while (message := split_message(self._output)) is not None:
            if message.type == MessageType.WATCH_EVENT:
                path, token = message.payload.split(b"\0")[:2]
                if token in self.watches:
                    self.watches[token](path)
            else:
                caller, answered = self._waiting.pop(message.req_id)
                answered(message._replace(req_id=caller.req_id))
        self.changed.notify_all()


class File:
    """One opening, as far as the two kernels agree."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._request = bytearray()
        self._replies = bytearray()
        self._transactions: set[int] = set()
        with kernel.changed:
            kernel.opened += 1

    def close(self) -> None:
        with self._kernel.changed:
            for tx_id in list(self._transactions):
                self._kernel.ask(Message(MessageType.TRANSACTION_END, 0, tx_id, b"F\0"))
            self._kernel.closed += 1
            self._kernel.changed.notify_all()

    def _rule(self, holds: object, rule: str) -> None:
        if not holds:
            self._kernel.broken.append(rule)

    def _whole(self) -> Message | None:
        """The request if it is complete; what one write brought beyond it is lost."""
        if len(self._request) < HEADER_SIZE:
            return None
        message = split_message(self._request)
        if message is not None:
            self._rule(not self._request, "one message at a time")
            self._request.clear()
            if self._kernel.refusals:
                raise OSError(self._kernel.refusals.pop(0), "refused")
        return message

    def _reply(self, message: Message) -> None:
        """Hand it to the reader, and remember what it means for transactions."""
        self._replies += pack(message.type, message.payload, req_id=message.req_id, tx_id=message.tx_id)


class LinuxFile(File):
    """Replies and events are queued for a reader that poll wakes; watches are the kernel's."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel)
        self._readable, self._wake = os.pipe()
        self._awake = False
        self._watches: list[tuple[bytes, bytes, bytes]] = []
        self._sending = False

    def fileno(self) -> int:
        return self._readable

    def read(self, size: int) -> bytes:
        with self._kernel.changed:
            self._rule(self._replies, "only who was told by poll may read, or it waits for ever")
            data = bytes(self._replies[:size])
            del self._replies[:size]
            if self._awake and not self._replies:
                os.read(self._readable, 1)
                self._awake = False
            return data

    def write(self, data: bytes) -> int:
        with self._kernel.changed:
            self._rule(not self._sending, "a write before the answer spoils the request that is being sent")
            if len(self._request) + len(data) > BUFFER_BYTES:
                self._request.clear()
                raise OSError(errno.EINVAL, "Invalid argument")
            self._request += data
            message = self._whole()
            if message is not None:
                self._execute(message)
            return len(data)

    def close(self) -> None:
        with self._kernel.changed:
            for path, _token, kernels in self._watches:
                self._kernel.unwatch(path, kernels)
            super().close()
        os.close(self._readable)
        os.close(self._wake)

    def _execute(self, message: Message) -> None:
        self._rule(message.type != MessageType.RESET_WATCHES, "RESET_WATCHES hits the kernel's own watches")
        if message.type in (MessageType.WATCH, MessageType.UNWATCH):
            self._watch(message)
        elif message.tx_id and message.tx_id not in self._transactions:
            self._reply(message._replace(type=MessageType.ERROR, payload=b"ENOENT\0"))
        else:
            self._sending = True
            self._kernel.request(message, lambda answer: self._answered(message, answer))

    def _answered(self, message: Message, answer: Message) -> None:
        self._sending = False
        if message.type == MessageType.TRANSACTION_END:
            self._transactions.discard(message.tx_id)
        elif message.type == MessageType.TRANSACTION_START and answer.type != MessageType.ERROR:
            self._transactions.add(int(answer.payload.rstrip(b"\0")))
        self._reply(answer)

    def _watch(self, message: Message) -> None:
        path, token = message.payload.split(b"\0")[:2]
        if message.type == MessageType.WATCH:
            kernels, answer = self._kernel.watch(path, lambda changed: self._fired(changed, token))
            if answer.type == MessageType.ERROR:
                del self._kernel.watches[kernels]
                raise OSError(getattr(errno, answer.payload.rstrip(b"\0").decode()), "refused")
            self._watches.append((path, token, kernels))
        else:
            for each in self._watches:
                if each[:2] == (path, token):
                    self._watches.remove(each)
                    self._kernel.unwatch(path, each[2])
                    break
        self._reply(message._replace(payload=b"OK\0"))

    def _fired(self, path: bytes, token: bytes) -> None:
        # Header fields that mean nothing are what was on the kernel's stack.
        event = Message(MessageType.WATCH_EVENT, 0xDEAD, 0xBEEF, path + b"\0" + token + b"\0")
        self._reply(event)

    def _reply(self, message: Message) -> None:
        super()._reply(message)
        if not self._awake:
            os.write(self._wake, b"x")
            self._awake = True


class NetBSDFile(File):
    """What a thread opened is its alone; a write waits for the answer, a read does not."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel)
        self._thread = threading.get_ident()

    def fileno(self) -> int:
        self._rule(False, "nothing can wait for this descriptor")
        return -1

    def read(self, size: int) -> bytes:
        self._check_thread()
        if not self._replies:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        data = bytes(self._replies[:size])
        del self._replies[:size]
        return data

    def write(self, data: bytes) -> int:
        self._check_thread()
        if len(self._request) + len(data) > BUFFER_BYTES:
            raise OSError(errno.EINVAL, "Invalid argument")
        self._request += data
        kept = bytes(self._request)
        with self._kernel.changed:
            try:
                message = self._whole()
                if message is not None:
                    self._execute(message)
            except OSError:
                self._request += kept
                raise
        return len(data)

    def close(self) -> None:
        self._check_thread()
        super().close()

    def _execute(self, message: Message) -> None:
        if message.type not in {getattr(MessageType, name) for name in NETBSD_CARRIES}:
            raise OSError(errno.EINVAL, "Invalid argument")
        answer = self._kernel.ask(message)
        if message.type == MessageType.TRANSACTION_START:
            self._transactions.add(int(answer.payload.rstrip(b"\0")))
        elif message.type == MessageType.TRANSACTION_END:
            if message.tx_id not in self._transactions:
                raise OSError(errno.EINVAL, "Invalid argument")
            self._transactions.remove(message.tx_id)
        self._reply(answer)
        self._rule(len(self._replies) <= BUFFER_BYTES, "the answers to one request fit the buffer")

    def _check_thread(self) -> None:
        if threading.get_ident() != self._thread:
            raise OSError(errno.EBADF, "Bad file descriptor")
