"""The state of a domain's device model: it stops with its guest, writes its state to a file, and goes on.

Its state goes to it, and comes from it, by a descriptor, as it sees none of the host's files.  Only one that
has given up root's rights reads any: whoever broke into another one may have written it.
Source: migration.md 3; guests.md 1.5
"""

import os
from collections.abc import Mapping

import attrs
import trio

from xend.device.nodes import children, value_of
from xend.domain.model_ready import END_SECONDS, state_path
from xend.domain.model_rights import KEEPERS
from xend.domain.model_talk import model_of, talk
from xend.errors import XendError
from xend.host import Host
from xend.model.image import file_of
from xend.model.qmp import Conversation, QmpError
from xend.model.scratch import Scratch, copy
from xend.operation.steps import Work
from xend.refusals import explained
from xend.stream.emulator import HEAD, QEMU, STATE_MAX_BYTES, check_nodes, nodes_body
from xend.stream.records import EMULATOR_CONTEXT, EMULATOR_STORE, RECORD, record
from xenstore.daemon.files import write_all
from xenstore.daemon.groups import alone

__all__ = ["Incoming", "ModelState", "check_can_save", "go_on", "save_state", "stop", "write_state"]

#: How often it is looked how long its state has become, in seconds.
LOOK_SECONDS = 0.1
#: Nodes of one that are looked at.
_NODES_MAX = 256


@attrs.frozen
class Incoming:
    """What a device model goes on with in place of beginning.

    Attributes:
        fd: a file with its state, at its beginning.
        nodes: what it has below its own place in the store.
        processors: how many its machine has; None: as its configuration says.
    """

    fd: int
    nodes: Mapping[str, str]
    processors: int | None


@attrs.frozen
class ModelState:
    """The state of one, to be closed."""

    nodes: Mapping[str, str]
    scratch: Scratch

    def write(self, fd: int) -> None:
        """Its records, which stand behind the domain's memory in its file.

        Raises:
            OSError.
        """
        if self.nodes:
            write_all(fd, record(EMULATOR_STORE, nodes_body(self.nodes)))
        size = self.scratch.size
        write_all(fd, RECORD.pack(EMULATOR_CONTEXT, HEAD.size + size) + HEAD.pack(QEMU, 0))
        copy(self.scratch.fd, 0, fd, size)
        write_all(fd, bytes(-(HEAD.size + size) % 8))

    def close(self) -> None:
        """Nothing is left of it."""
        self.scratch.close()


def check_can_save(host: Host, domid: int, name: str) -> None:
    """See that a domain's device model lives, and that another one may read what it writes.

    Raises:
        XendError: wrong_state, device_failed, unsupported.
    """
    if not model_of(host, domid, name).is_shut_in:
        raise XendError(
            "unsupported",
            f"the device model of {name} (qemu) has kept root's rights, and so would the one that is to read "
            "its state",
            domain=name,
            hint=f"{KEEPERS}: without these it can be saved",
        )


async def stop(host: Host, work: Work, domid: int, name: str) -> None:
    """Have it do nothing more for its guest, whose disks are as the guest knows them then.

    Raises:
        XendError: device_failed, no_answer.
    """
    async with talk(host, work, domid, name) as conversation:
        await conversation.ask("stop")


async def go_on(host: Host, work: Work, domid: int, name: str) -> bool:
    """Have it go on; False: it has died.

    Raises:
        XendError: device_failed, no_answer.
    """
    model = host.models.get(domid)
    if model is None or model.has_ended.is_set():
        return False
    try:
        async with talk(host, work, domid, name) as conversation:
            await conversation.ask("cont")
    except XendError as error:
        with trio.move_on_after(END_SECONDS):
            await model.has_ended.wait()
        if not model.has_ended.is_set():
            hint = f"xl resume {name} tries it again; xl destroy {name} gives it up"
            raise error.annotated(hint=hint) from error
        return False
    return True


async def save_state(host: Host, work: Work, domid: int, name: str) -> ModelState:
    """That of one which does nothing more; the caller closes it.

    Raises:
        XendError: device_failed, no_answer; OSError: there is no room for it.
    """
    nodes = await _nodes(host, domid, name)
    scratch = Scratch(host.models.place(domid).directory, STATE_MAX_BYTES)
    try:
        async with talk(host, work, domid, name) as conversation:
            await write_state(conversation, scratch)
            scratch.seal()
            _check_length(scratch)
    except BaseException:
        scratch.close()
        raise
    return ModelState(nodes, scratch)


async def _nodes(host: Host, domid: int, name: str) -> dict[str, str]:
    top = state_path(domid)
    found: dict[str, str] = {}
    with explained("read the nodes of its device model", name):
        for place in (await children(host.store, f"{top}/physmap"))[:_NODES_MAX]:
            for key in await children(host.store, f"{top}/physmap/{place}"):
                path = f"physmap/{place}/{key}"
                value = await value_of(host.store, f"{top}/{path}")
                found[path] = (value or b"").decode("latin-1")
    try:
        check_nodes(found)
    except ValueError as error:
        message = f"the device model of {name} (qemu) has a node in the store that is none of its"
        raise XendError("device_failed", message, domain=name, cause=str(error)) from error
    return found


async def write_state(conversation: Conversation, scratch: Scratch) -> None:
    """Have it write its state to an empty file, and let go of that.

    Raises:
        QmpError, OSError.
    """
    fd = scratch.writable()
    try:
        async with conversation.lent(fd) as number:
            await _write_bounded(conversation, scratch, file_of(number))
    finally:
        os.close(fd)


async def _write_bounded(conversation: Conversation, scratch: Scratch, path: str) -> None:
    try:
        with alone(QmpError):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_bound, scratch)
                # Its images stay its own: whoever goes on with them waits for its end.
                await conversation.ask("xen-save-devices-state", filename=path, live=False)
                nursery.cancel_scope.cancel()
    except QmpError as error:
        if scratch.is_too_long:
            _check_length(scratch)
        raise error


async def _bound(scratch: Scratch) -> None:
    """It may have been broken into, and write without end."""
    while True:
        await trio.sleep(LOOK_SECONDS)
        if scratch.is_too_long:
            break
    scratch.seal()


def _check_length(scratch: Scratch) -> None:
    if not scratch.size:
        raise QmpError("xen-save-devices-state: it has written nothing")
    if scratch.is_too_long:
        raise QmpError(f"xen-save-devices-state: its state has more than {STATE_MAX_BYTES} bytes")
