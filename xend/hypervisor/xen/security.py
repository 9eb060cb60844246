"""The security module FLASK, where the hypervisor was built with it: xsm_op.

Source: xen/include/public/xsm/flask_op.h
"""

import errno

from xend.hypervisor import HypervisorError
from xend.hypervisor.xen.calls import XSM_OP, Calls
from xend.hypervisor.xen.layouts import FLASK_CONTEXT, FLASK_LOAD, FLASK_OP, FLASK_RELABEL
from xend.hypervisor.xen.refusal import refusing

LOAD, GETENFORCE, SETENFORCE, CONTEXT_TO_SID, SID_TO_CONTEXT, RELABEL_DOMAIN = 1, 2, 3, 4, 5, 24
INTERFACE_VERSION = 1
#: The longest policy that is taken, in bytes; Xen's own has some 20 KiB.
POLICY_MAX = 16 << 20
#: And the longest label: Xen takes a page.
LABEL_MAX = 4095
_REASONS = {
    errno.ENOSYS: "this hypervisor has no FLASK: it was built without it, or not started with flask=",
    errno.EPERM: "the policy forbids that",
    errno.EACCES: "the policy forbids that",
}


class Security:
    """Every method raises HypervisorError."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def is_enforcing(self) -> bool | None:
        """See `Control.is_enforcing`."""
        with refusing("the hypervisor does not tell the mode of FLASK", _REASONS):
            try:
                return bool(self._ask(GETENFORCE))
            except OSError as error:
                if error.errno == errno.ENOSYS:
                    return None
                raise

    def set_enforcing(self, enforcing: bool) -> None:
        """See `Control.set_enforcing`."""
        with refusing("the mode of FLASK cannot be changed", _REASONS):
            self._ask(SETENFORCE, enforcing=enforcing)

    def label_number(self, label: str) -> int:
        """See `Control.label_number`."""
        text = label.encode("utf-8", "surrogateescape")
        what = f"the security label {label!r} cannot be given"
        if not 0 < len(text) <= LABEL_MAX or b"\0" in text:
            raise HypervisorError(errno.EINVAL, f"{what}: 1 to {LABEL_MAX} bytes are possible")
        reasons = {**_REASONS, errno.EINVAL: "the policy of FLASK has no such label"}
        with refusing(what, reasons), self._calls.answer(len(text)) as memory:
            with memoryview(memory) as view:
                view[: len(text)] = text
            self._send(CONTEXT_TO_SID, FLASK_CONTEXT.pack(size=len(text), context=memory.address))
            return int(FLASK_CONTEXT.unpack(self._calls.get(FLASK_CONTEXT.size))["sid"])

    def label_of(self, number: int) -> str:
        """See `Control.label_of`."""
        reasons = {**_REASONS, errno.EINVAL: "the policy of FLASK has no such label"}
        with (
            refusing(f"the security label {number} is not told", reasons),
            self._calls.answer(LABEL_MAX + 1) as memory,
        ):
            self._send(
                SID_TO_CONTEXT, FLASK_CONTEXT.pack(sid=number, size=LABEL_MAX + 1, context=memory.address)
            )
            size = min(FLASK_CONTEXT.unpack(self._calls.get(FLASK_CONTEXT.size))["size"], LABEL_MAX + 1)
            with memoryview(memory) as view:
                return bytes(view[:size]).rstrip(b"\0").decode("utf-8", "surrogateescape")

    def set_label(self, domid: int, number: int) -> None:
        """See `Control.set_label`."""
        reasons = {**_REASONS, errno.ESRCH: "there is no such domain"}
        with refusing(f"domain {domid} cannot have the security label {number}", reasons):
            self._send(RELABEL_DOMAIN, FLASK_RELABEL.pack(domid=domid, sid=number))

    def load_policy(self, policy: bytes) -> None:
        """See `Control.load_policy`."""
        if not 0 < len(policy) <= POLICY_MAX:
            raise HypervisorError(
                errno.EINVAL, f"a policy of {len(policy)} bytes: 1 to {POLICY_MAX} are possible"
            )
        reasons = {**_REASONS, errno.EINVAL: "it is no policy that this hypervisor knows"}
        with (
            refusing("the policy cannot be loaded", reasons),
            self._calls.answer(len(policy)) as memory,
        ):
            with memoryview(memory) as view:
                view[: len(policy)] = policy
            self._send(LOAD, FLASK_LOAD.pack(policy=memory.address, size=len(policy)))

    def _ask(self, command: int, **values: int) -> int:
        return self._call(FLASK_OP.pack(cmd=command, interface_version=INTERFACE_VERSION, **values))

    def _send(self, command: int, arguments: bytes) -> int:
        """With arguments that are no number; their layout leaves the first two words free."""
        head = FLASK_OP.pack(cmd=command, interface_version=INTERFACE_VERSION)[:8]
        return self._call(head + arguments[8:])

    def _call(self, arguments: bytes) -> int:
        self._calls.put(arguments)
        return self._calls.call(XSM_OP, self._calls.extra)
