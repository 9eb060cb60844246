"""The security module FLASK, where the hypervisor was built with it: xsm_op.

Source: xen/include/public/xsm/flask_op.h
"""

import errno

from xend.hypervisor import HypervisorError
from xend.hypervisor.xen.calls import XSM_OP, Calls
from xend.hypervisor.xen.layouts import FLASK_LOAD, FLASK_OP
from xend.hypervisor.xen.refusal import refusing

LOAD, GETENFORCE, SETENFORCE = 1, 2, 3
INTERFACE_VERSION = 1
#: The longest policy that is taken, in bytes; Xen's own has some 20 KiB.
POLICY_MAX = 16 << 20
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
            rest = FLASK_LOAD.pack(policy=memory.address, size=len(policy))[8:]
            self._call(FLASK_OP.pack(cmd=LOAD, interface_version=INTERFACE_VERSION)[:8] + rest)

    def _ask(self, command: int, **values: int) -> int:
        return self._call(FLASK_OP.pack(cmd=command, interface_version=INTERFACE_VERSION, **values))

    def _call(self, arguments: bytes) -> int:
        self._calls.put(arguments)
        return self._calls.call(XSM_OP, self._calls.extra)
