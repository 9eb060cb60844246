"""Which domain has a device's backend: dom0, or a driver domain (`backend=` of xl.cfg)."""

from typing import TYPE_CHECKING

from xend.errors import XendError

if TYPE_CHECKING:
    from xend.host import Host


def backend_domid(host: "Host", backend: str, device: str) -> int:
    """The domid that a configuration's backend means now: this xend's domain of that name, or any domid.

    Raises:
        XendError: no_such_domain.
    """
    if backend == "0":
        return 0
    domain = host.domains.by_name(backend)
    if domain is not None and domain.domid is not None:
        return domain.domid
    if backend.isascii() and backend.isdigit() and len(backend) < 6:
        return int(backend)
    raise XendError(
        "no_such_domain",
        f"{device}: its backend is to be in domain {backend}, which "
        f"{'does not exist' if domain is None else 'waits for its next life'}",
        device=device,
        hint="create that driver domain first; without backend= it is in dom0",
    )


async def check_serving(host: "Host", domid: int, device: str) -> None:
    """See that a driver domain runs.

    Raises:
        XendError: no_such_domain, wrong_state.
    """
    if not domid:
        return
    info = await host.hypervisor.domain(domid)
    if info is None:
        raise XendError(
            "no_such_domain",
            f"{device}: its backend is to be in domain {domid}, which does not exist",
            device=device,
        )
    if info.is_dying or info.is_shutdown:
        raise XendError(
            "wrong_state",
            f"{device}: its backend is to be in domain {domid}, which has shut down",
            device=device,
        )
