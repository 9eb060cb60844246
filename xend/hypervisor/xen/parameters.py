"""Parameters of domains that are not paravirtual, which the guest and who plays its machine see, too.

Source: xen/include/public/hvm/{hvm_op,params}.h
"""

from xend.hypervisor.xen.calls import HVM_OP, Calls
from xend.hypervisor.xen.domains import Domains
from xend.hypervisor.xen.layouts import HVM_PARAM
from xend.hypervisor.xen.refusal import refusing

__all__ = ["CONSOLE_EVTCHN", "STORE_EVTCHN", "hears", "parameter_of", "set_parameter"]

HVMOP_SET_PARAM, HVMOP_GET_PARAM = 0, 1
#: HVM_PARAM_*.
CALLBACK_IRQ, STORE_EVTCHN, ACPI_S_STATE, CONSOLE_EVTCHN = 0, 2, 14, 18


def set_parameter(calls: Calls, domid: int, parameter: int, value: int) -> None:
    """Raises: OSError."""
    calls.operation(HVM_OP, HVMOP_SET_PARAM, HVM_PARAM, domid=domid, index=parameter, value=value)


def parameter_of(calls: Calls, domid: int, parameter: int) -> int:
    """Raises: OSError."""
    return calls.operation(HVM_OP, HVMOP_GET_PARAM, HVM_PARAM, domid=domid, index=parameter, value=0)["value"]


def hears(calls: Calls, domains: Domains, domid: int) -> bool:
    """See `Hypervisor.hears`."""
    if not domains.alive(domid).is_hvm:
        return True
    with refusing(f"domain {domid}: whether its kernel has paravirtual drivers cannot be seen"):
        has_drivers = parameter_of(calls, domid, CALLBACK_IRQ) != 0
        return has_drivers and parameter_of(calls, domid, ACPI_S_STATE) == 0
