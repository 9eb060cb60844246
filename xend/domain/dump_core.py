"""domain.dump_core: the memory of a domain that goes on, as a file."""

import errno
import os

import attrs

from xend.domain.target import Target
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import HypervisorError
from xend.operation.facts import Facts
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.validators import typed
from xenstore.daemon.text import one_line


@attrs.define(kw_only=True)
class DumpCoreFacts(Facts):
    """Those of domain.dump_core; path: of the new file, absolute."""

    KIND = "domain.dump_core"

    path: str = attrs.field(validator=typed(str))


async def prepare_dump_core(host: Host, target: Target, path: str) -> DumpCoreFacts:
    """Raises: XendError: bad_request: nothing can be written there, or something is there already."""
    shown = one_line(path)
    if not path.startswith("/") or "\0" in path:
        raise XendError("bad_request", f"core file {shown!r}: an absolute path was expected")
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise XendError("bad_request", f"core file {shown}: there is no directory {one_line(directory)}")
    if os.path.lexists(path):
        raise XendError(
            "bad_request", f"core file {shown} is there already: nothing is overwritten", domain=target.name
        )
    return DumpCoreFacts(**target.identity, path=path)


def dump_core_steps(host: Host, facts: DumpCoreFacts) -> list[Step]:
    """One; what is left of a file that failed the hypervisor's driver removes."""

    async def dump(work: Work) -> None:
        assert facts.domid is not None
        try:
            with explained(f"write its core to {one_line(facts.path)}", facts.name):
                await host.hypervisor.dump_core(facts.domid, facts.path)
        except XendError as error:
            raise _told(error, facts) from error
        host.publish("domain", "dumped", domid=facts.domid, name=facts.name, path=one_line(facts.path))

    return [Step("dump", f"write its memory to {one_line(facts.path)}", dump)]


def _told(error: XendError, facts: DumpCoreFacts) -> XendError:
    """What a refusal means of a core file, which is no image."""
    cause = error.__cause__
    if isinstance(cause, HypervisorError) and cause.errno in (errno.ENOENT, errno.EACCES, errno.EEXIST):
        return XendError(
            "bad_request",
            f"cannot write the core of {facts.name} to {one_line(facts.path)}",
            domain=facts.name,
            cause=cause.text,
        )
    return error
