"""Which of a running domain's event channels is its store's, where nobody introduces the domain.

A fully virtualised domain has it among its parameters.  A paravirtual one knows it from its start info, which
cannot be seen from outside; but its builder left the port open for dom0 before all others (libxl does, and so
it is the first), and an end that lost its xenstored is open again.
Source: xen/include/public/hvm/{hvm_op,params}.h, event_channel.h (struct evtchn_status).
"""

import struct

from xenstore.platform.hypercalls import Hypercalls

HYPERVISOR_EVENT_CHANNEL_OP = 32
HYPERVISOR_HVM_OP = 34
EVTCHNOP_STATUS = 5
HVMOP_GET_PARAM = 1
HVM_PARAM_STORE_EVTCHN = 2

CLOSED, UNBOUND = 0, 1
DOM0 = 0
#: The first port of all is 1; if these are closed the domain was not built as is known here.
PORTS = range(1, 9)

#: domid, index, value.
_PARAMETER = struct.Struct("=H2xIQ")
#: dom, port, status, vcpu, u.unbound.dom.
_STATUS = struct.Struct("=H2xIIIH6x")


class StorePorts:
    """Asks the hypervisor."""

    def __init__(self, hypercalls: Hypercalls) -> None:
        self._call = hypercalls
        self._page = hypercalls.page

    def __call__(self, domid: int) -> int | None:
        """The port on which a domain waits for a xenstored; None: none that is open for dom0 is known."""
        try:
            port = self._parameter(domid) or self._first(domid)
            return port if self._status(domid, port) == (UNBOUND, DOM0) else None
        except (OSError, StopIteration):
            return None

    def _parameter(self, domid: int) -> int:
        """What a fully virtualised domain was given; 0 for another, or one that got none."""
        try:
            return self._ask(
                HYPERVISOR_HVM_OP, HVMOP_GET_PARAM, _PARAMETER, domid, HVM_PARAM_STORE_EVTCHN, 0
            )[2]
        except OSError:
            return 0

    def _first(self, domid: int) -> int:
        """The lowest port in use; StopIteration if there is none where it is looked for."""
        return next(port for port in PORTS if self._status(domid, port)[0] != CLOSED)

    def _status(self, domid: int, port: int) -> tuple[int, int]:
        """The state of a domain's port, and for whom it is open if that is UNBOUND."""
        answer = self._ask(HYPERVISOR_EVENT_CHANNEL_OP, EVTCHNOP_STATUS, _STATUS, domid, port, 0, 0, 0)
        return answer[2], answer[4]

    def _ask(self, number: int, operation: int, layout: struct.Struct, *words: int) -> tuple[int, ...]:
        with memoryview(self._page) as page:
            layout.pack_into(page, 0, *words)
        self._call(number, operation, self._page.address)
        with memoryview(self._page) as page:
            return layout.unpack_from(page, 0)
