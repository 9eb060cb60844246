"""What the hypervisor writes, and the keys it takes: XEN_SYSCTL_readconsole, debug_keys.

Source: xen/include/public/sysctl.h
"""

import errno

from xend.hypervisor import HypervisorError
from xend.hypervisor.xen.calls import ANSWER_SIZE, EXTRA_SIZE, Calls
from xend.hypervisor.xen.layouts import DEBUG_KEYS, READ_CONSOLE
from xend.hypervisor.xen.refusal import refusing

READCONSOLE = 1
DEBUG_KEYS_OP = 7


class Messages:
    """The hypervisor's own console.  Every method raises HypervisorError."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def all(self, clear: bool = False) -> bytes:
        """What is kept; clear: and have it not be kept any more."""
        text, index = self._read(None)
        more, _ = self.since(index, clear=clear)
        return text + more

    def since(self, index: int, *, clear: bool = False) -> tuple[bytes, int]:
        """What was written since an index that this returned before (0: ever), as far as it is kept, and the
        index for the next time."""
        parts = []
        while True:
            text, index = self._read(index)
            parts.append(text)
            if len(text) < ANSWER_SIZE:
                break
        if clear:
            # Only now: the hypervisor forgets also what does not fit the answer.
            text, index = self._read(index, clear=True)
            parts.append(text)
        return b"".join(parts), index

    def send_debug_keys(self, keys: str) -> None:
        """Have the hypervisor do what these keys do on its serial line; it writes the answers (`all`)."""
        data = keys.encode(errors="replace")
        if not 0 < len(data) <= EXTRA_SIZE or not data.isascii():
            raise HypervisorError(errno.EINVAL, "debug keys are one or more ASCII characters; h lists them")
        self._calls.put(data)
        with refusing("the hypervisor takes no debug keys"):
            self._calls.sysctl(DEBUG_KEYS_OP, DEBUG_KEYS.pack(keys=self._calls.extra, nr_keys=len(data)))

    def _read(self, index: int | None, *, clear: bool = False) -> tuple[bytes, int]:
        with refusing("the hypervisor's messages cannot be read"), self._calls.answer(ANSWER_SIZE) as memory:
            asked = READ_CONSOLE.pack(
                clear=clear,
                incremental=index is not None,
                index=index or 0,
                buffer=memory.address,
                count=ANSWER_SIZE,
            )
            answer = READ_CONSOLE.unpack(self._calls.sysctl(READCONSOLE, asked))
            with memoryview(memory) as view:
                return bytes(view[: min(answer["count"], ANSWER_SIZE)]), answer["index"]
