"""The security labels of a new domain, as the numbers by which FLASK, the hypervisor's module, has them."""

import errno
from collections.abc import Sequence
from typing import Any

from xend.config import DomainConfig
from xend.config.place import shown
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import HypervisorError
from xend.refusals import explained

__all__ = ["check_labels", "first_label", "set_running_label", "with_labels"]


async def check_labels(host: Host, config: DomainConfig) -> None:
    """See that the hypervisor has each label of a configuration.

    Raises:
        XendError: unsupported: it has no FLASK; bad_config: its policy has no such label; hypervisor_failed.
    """
    for option, label in config.labels.by_option().items():
        await _number(host, config, option, label)


async def first_label(host: Host, config: DomainConfig) -> int:
    """The number of the label with which a domain is created; 0: that of domains without one.

    Raises:
        XendError: as `check_labels`.
    """
    labels = config.labels
    if labels.first is None:
        return 0
    return await _number(host, config, "init_seclabel" if labels.initial else "seclabel", labels.first)


async def set_running_label(host: Host, config: DomainConfig, domid: int) -> None:
    """Give a domain that was built the label with which it runs.

    Raises:
        XendError: as `check_labels`.
    """
    label = config.labels.running
    if label is not None:
        number = await _number(host, config, "seclabel", label)
        with explained(f"give it the security label {shown(label)}", config.name):
            await host.hypervisor.set_label(domid, number)


async def with_labels(host: Host, maps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Domain maps of docs/bus.md with security_label besides; None: there is no FLASK, or it is not known.

    Raises:
        XendError: hypervisor_failed.
    """
    with explained("ask for security labels", "this host"):
        if await host.hypervisor.is_enforcing() is None:
            return [{**each, "security_label": None} for each in maps]
        numbers = {info.domid: info.ssid for info in await host.hypervisor.domains()}
        names = {number: await host.hypervisor.label_of(number) for number in set(numbers.values())}
    labels: dict[int | None, str] = {domid: names[number] for domid, number in numbers.items()}
    return [{**each, "security_label": labels.get(each["domid"])} for each in maps]


async def _number(host: Host, config: DomainConfig, option: str, label: str) -> int:
    with explained("ask for a security label", config.name):
        try:
            return await host.hypervisor.label_number(label)
        except HypervisorError as error:
            said = f"{option} = {shown(label)}"
            if error.errno == errno.ENOSYS:
                raise XendError(
                    "unsupported",
                    f"{said}: this hypervisor has no FLASK, so that the label would restrict nothing",
                    domain=config.name,
                    cause=error.text,
                    hint="start Xen with flask=enforcing, if it was built with XSM, or take the option away",
                ) from error
            if error.errno == errno.EINVAL:
                raise XendError(
                    "bad_config",
                    f"{said}: the policy of FLASK has no such label",
                    domain=config.name,
                    cause=error.text,
                    hint="a label is USER:ROLE:TYPE, as system_u:system_r:domU_t",
                ) from error
            raise
