"""The facts of the operation that the end of a domain asks for."""

import uuid as uuids
from collections.abc import Callable
from itertools import count
from typing import TypeVar

import attrs

from xend.domain.destroy import DestroyFacts, devices_to_remove
from xend.domain.device_model import has_model
from xend.domain.registry import Domain
from xend.domain.restart import DumpFacts, RestartFacts, dump_path, restarts_in_a_row
from xend.domain.soft_reset import SoftResetFacts
from xend.domain.waiting import Waiting, wait_seconds
from xend.host import Host
from xend.operation.facts import Facts
from xend.operation.locks import name_lock
from xend.operation.registry import OperationRegistry

EndFacts = TypeVar("EndFacts", bound=DestroyFacts)


async def facts_of_end(host: Host, domain: Domain, made: Callable[..., EndFacts], **more: object) -> EndFacts:
    """The facts of an operation that ends a domain, with its devices as the store has them now.

    Args:
        made: their class.
        more: what it has besides: `why`, for example.

    Raises:
        XendError: store_failed.
    """
    devices = await devices_to_remove(host, domain.domid, domain.name)
    return made(
        name=domain.name,
        uuid=domain.uuid,
        domid=domain.domid,
        devices=devices,
        has_model=has_model(host, domain.domid),
        **more,
    )


async def facts_of_action(
    host: Host, operations: OperationRegistry, domain: Domain, event: str, action: str
) -> Facts:
    """The facts of what on_poweroff, on_reboot ... ask for, of any action but "preserve".

    Args:
        event: how the domain ended, one of SHUTDOWN_REASONS.
        action: as `xend.domain.restart.action_of` has it.

    Raises:
        XendError: store_failed.
    """
    if action == "coredump-destroy":
        path = dump_path(host, domain.name)
        return await facts_of_end(host, domain, DumpFacts, why=domain.final, dump=path)
    old = await facts_of_end(host, domain, DestroyFacts, why=domain.final)
    if action == "destroy":
        return old
    if action == "soft-reset":
        return SoftResetFacts(
            name=domain.name, uuid=domain.uuid, domid=domain.domid, source=domain.source, old=old
        )
    keep_old = _free_name(host, operations, domain.name) if action == "rename-restart" else None
    dump = dump_path(host, domain.name) if action == "coredump-restart" else None
    return _restart_facts(host, domain, old, event, keep_old, dump)


def _restart_facts(
    host: Host, domain: Domain, old: DestroyFacts, event: str, keep_old: str | None, dump: str | None
) -> RestartFacts:
    now = host.wall_clock()
    restarts = restarts_in_a_row(domain, now)
    wait_s = wait_seconds(restarts)
    uuid = str(uuids.UUID(int=host.random.getrandbits(128), version=4)) if keep_old else domain.uuid
    return RestartFacts(
        name=domain.name,
        uuid=domain.uuid,
        source=attrs.evolve(domain.following, uuid=uuid),
        old=old,
        restarts=restarts,
        waiting=Waiting(reason=event, next_try=now + wait_s, wait_s=wait_s, domid=domain.domid),
        dump=dump,
        keep_old=keep_old,
    )


def _free_name(host: Host, operations: OperationRegistry, name: str) -> str:
    """NAME-1, or the first such that no domain has and no operation is about to give."""
    return next(
        each
        for each in (f"{name}-{number}" for number in count(1))
        if host.domains.by_name(each) is None and operations.holder([name_lock(each)]) is None
    )
