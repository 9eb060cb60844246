"""A domain's device model (qemu): what is checked before, its start, its end, and what its death means."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from xenclient.store.aio import Transaction
from xenclient.store.errors import ClientError
from xenclient.store.operations import mkdir, set_perms
from xend.config import DomainConfig
from xend.device.device import Device
from xend.device.kinds import KINDS
from xend.device.nodes import removed, written
from xend.device.stored import devices_in_store
from xend.domain.machine import model_machine_of, resolved
from xend.domain.model_images import by_descriptors, opened_images
from xend.domain.model_ready import state_path
from xend.domain.model_rights import KEEPS, require_shut_in, rights_of, shown_images, takes
from xend.domain.model_state import Incoming
from xend.domain.nodes import home
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import SHUTDOWN_REASONS, HypervisorError
from xend.identity import is_domain
from xend.model.arguments import Shape, argv_of, environment_of
from xend.model.log import log_path, opened
from xend.model.models import Model
from xend.model.part import Part, screen_of
from xend.model.system import Order, Process
from xend.model.tree import Tree
from xend.operation.locks import Lock, domain_locks
from xend.refusals import explained
from xenstore.errors import XenstoreError

__all__ = [
    "check_attach",
    "check_model",
    "end_model",
    "end_strangers",
    "has_model",
    "has_tree",
    "note_death",
    "start_model",
    "tell_death",
]


def has_model(host: Host, domid: int | None) -> bool:
    """Whether a domain has one of this xend's, alive or dead; None: it has no domid."""
    return domid is not None and host.models.get(domid) is not None


def has_tree(host: Host, domid: int) -> bool:
    """Whether a domain has one that sees a tree of its own in place of the host's files."""
    model = host.models.get(domid)
    return model is not None and model.has_tree


async def check_model(host: Host, config: DomainConfig, parts: Sequence[Part]) -> None:
    """See that a domain can have the device model that it needs, if any.

    parts: what the devices want that it serves.

    Raises:
        XendError: bad_config, unsupported.
    """
    if parts:
        rights_of(host.settings.platform, config, parts, 1)
        program = host.models.system.program(config.device_model.program, host.settings.platform)
        screen = screen_of(parts)
        if screen is not None and screen.vnc and screen.vnc_password:
            await _check_password(host, program, config.name)
        if any(part.spice is not None for part in parts) and not await host.models.system.has_spice(program):
            raise XendError(
                "unsupported",
                f"spice = 1: the device model {program} was built without SPICE",
                domain=config.name,
                hint="vnc = 1 shows the screen, too; or device_model_override names another qemu",
            )


async def _check_password(host: Host, program: str, name: str) -> None:
    """It would end while it starts, without a word to whom it concerns."""
    if not await host.models.system.asks_for_password(program):
        raise XendError(
            "unsupported",
            f"vncpasswd: the device model {program} was built without what VNC's passwords take (DES)",
            domain=name,
            hint="leave vncpasswd out, and have vnclisten be 127.0.0.1, which ssh -L reaches",
        )


async def start_model(
    host: Host,
    config: DomainConfig,
    parts: Sequence[Part],
    uuid: str,
    domid: int,
    incoming: Incoming | None = None,
) -> None:
    """Start it, for devices whose nodes are written.

    incoming: what it goes on with; None: it begins.

    Raises:
        XendError.
    """
    options = config.device_model
    program = host.models.system.program(options.program, host.settings.platform)
    if incoming is not None:
        require_shut_in(host.settings.platform, config, parts)
    rights = rights_of(host.settings.platform, config, parts, domid)
    with explained("look for its disks", config.name):
        parts = await resolved(host, parts)
    machine = model_machine_of(host, config, None if incoming is None else incoming.processors)
    video_mib = 0 if machine is None else machine.video_mib
    place = host.models.place(domid)
    path = log_path(host.model_log_directory, config.name)

    def made(process: Process) -> Model:
        return Model(
            domid=domid,
            uuid=uuid,
            name=config.name,
            program=program,
            pid=process.pid,
            start=process.start,
            log=path,
            uid=rights.ids[0] if rights.ids is not None and rights.is_own_user else None,
            is_shut_in=rights.is_shut_in,
            has_tree=rights.has_tree,
            sockets=[path for part in parts for path in part.sockets],
        )

    with ExitStack() as held:
        files: list[tuple[int, int]] = []
        if incoming is not None:
            parts, files = by_descriptors(parts, held)
        images = opened_images(shown_images(rights.has_tree, parts), held)
        files += [file for each in images for file in each.files]
        await host.models.end(domid)  # one of the same step, which a crash of xend's cut off
        shape = Shape(
            domid=domid,
            name=config.name,
            memory_mib=config.max_memory_kib // 1024 - video_mib,
            parts=parts,
            version=await host.models.system.version(program) or (0, 0),
            files=files,
            images=[each.shown for each in images],
            machine=machine,
            control=place.control,
            statistics=place.statistics,
            more=options.args,
            more_of_type=options.args_of_type,
            root=place.root if rights.is_shut_in else None,
            ids=rights.ids,
            has_sandbox=rights.is_shut_in and await host.models.system.has_sandbox(program),
            incoming=None if incoming is None else incoming.fd,
        )
        log = _begun(path, shape.root, held)
        with explained("write the nodes of its device model", config.name):
            await _write_nodes(host, domid, {} if incoming is None else incoming.nodes)
        order = Order(
            argv=argv_of(program, shape),
            environment=environment_of(shape, host.models.system.store_path(host.settings.store_socket)),
            log=log,
            incoming=shape.incoming,
            files=[fd for fd, _ in files],
            tree=_tree_of(shape) if rights.has_tree else None,
        )
        model = await host.models.start(made, order)
    with explained("write down which its device model is", config.name):
        await host.store.write(f"{home(domid)}/image/device-model-pid", str(model.pid))


async def end_model(host: Host, domid: int, name: str) -> None:
    """End it, if there is one, and remove what it left.

    Raises:
        XendError.
    """
    with explained("remove the nodes of its device model", name):
        await host.store.together(removed(state_path(domid)))
    await host.models.end(domid)


def check_attach(host: Host, device: Device, part: Part, name: str) -> None:
    """See that a domain's device model can take one device more.

    part: what the device would want of it.

    Raises:
        XendError: unsupported, device_failed.
    """
    if not KINDS[device.kind].is_of_model(device):
        return
    model = host.models.get(device.domid)
    if model is None or model.has_ended.is_set():
        text = (
            f"and {name} has none, as it was made without such a device"
            if model is None
            else f"and that of {name} has died"
        )
        raise device.error(
            "unsupported",
            f"a device model (qemu) is to serve it, {text}",
            domain=name,
            hint="put the device into its configuration, and start it anew",
        )
    if model.is_shut_in and not (model.has_tree and takes(host.settings.platform, part)):
        raise device.error(
            "unsupported",
            f"{model.called} has given up its rights, and cannot open what this device takes",
            domain=name,
            hint=f"put the device into its configuration, and start it anew; or {KEEPS} from its start on",
        )


async def tell_death(host: Host, model: Model) -> None:
    """Tell everybody of one that has died, and of the devices that are dead now."""
    try:
        devices = await devices_in_store(host, model.domid)
    except (XenstoreError, ClientError) as error:
        host.log(f"{model.name}: its devices cannot be looked up: {error}")
        devices = []
    dead = [device for device in devices if KINDS[device.kind].is_of_model(device)]
    cause = _cause_of(model)
    for device in dead:
        note_death(host, device)
        host.publish("device", "dead", domid=model.domid, device=device.name, reason=cause)
    names = ", ".join(device.name for device in dead) or "none"
    await _crash(host, model)
    host.publish(
        "domain",
        "device_model_died",
        domid=model.domid,
        name=model.name,
        uuid=model.uuid,
        reason=f"{cause}; dead devices: {names}; its log is {model.log}",
    )


async def _crash(host: Host, model: Model) -> None:
    """A whole machine does not live without what plays its devices: what its configuration says of a crash
    is done with it."""
    domain = host.domains.get(model.domid)
    if domain is None or domain.uuid != model.uuid or domain.config.machine is None:
        return
    try:
        await host.hypervisor.shutdown(model.domid, SHUTDOWN_REASONS.index("crash"))
    except HypervisorError as error:
        host.log(f"{model.name} has no device model any more, and cannot be stopped: {error}")


def note_death(host: Host, device: Device) -> None:
    """Have a device's story say that its device model has died; nothing happens if it has not."""
    model = host.models.get(device.domid)
    if model is None or model.death is None or not KINDS[device.kind].is_of_model(device):
        return
    error = device.error(
        "device_failed",
        "its device model has died",
        cause=_cause_of(model),
        reason="no_model",
        hint=f"its guest waits in vain; see {model.log}, and start the domain anew",
    )
    host.stories.failed(device, error.as_map())


def _cause_of(model: Model) -> str:
    """How it died, and its last words."""
    words = model.last_words()
    return f"{model.called} {model.death}" + (f": {words[-1]}" if words else "")


async def end_strangers(host: Host, is_busy: Callable[[Sequence[Lock]], bool]) -> None:
    """End those that the xend before this one left without a domain.

    A domain that lives keeps its own, though this xend may not know it: its file cannot be read, perhaps.

    is_busy: whether an operation holds one of these locks, and takes care of it.
    """
    for model in list(host.models):
        info = await host.hypervisor.domain(model.domid)
        lives = is_domain(info, model.uuid) and not info.is_dying
        if not lives and not is_busy(domain_locks(model.uuid, model.name)):
            try:
                await end_model(host, model.domid, model.name)
            except XendError as error:
                host.log(f"{model.called} is nobody's: {error}")


# --- parts ------------------------------------------------------------------------------------------------


def _tree_of(shape: Shape) -> Tree:
    assert shape.root is not None
    assert shape.ids is not None
    return Tree(
        shape.root,
        shape.ids,
        [(each.image.number, each.is_device) for each in shape.images],
        [part.share for part in shape.parts if part.share is not None],
    )


def _begun(path: str, root: str | None, held: ExitStack) -> int:
    """Its log, which `held` closes, and the directory that it sees nothing else of, if any."""
    try:
        if root is not None:
            os.mkdir(root, 0)
        log = opened(path)
    except OSError as error:
        raise XendError("internal", f"cannot make {error.filename}", cause=error.strerror) from error
    held.callback(os.close, log)
    return log


async def _write_nodes(host: Host, domid: int, nodes: Mapping[str, str]) -> None:
    """Where it says how far it has come, with those that it goes on with; an old one's are removed."""
    path = state_path(domid)

    async def body(tx: Transaction) -> None:
        await tx.together(removed(path), mkdir(path), set_perms(path, ["n0"]), *written(path, nodes))

    await host.store.run_transaction(body)
