"""A configuration that is right, and what is said about ones that are not."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest

from xend.config import DomainConfig
from xend.config.domain import parse
from xend.errors import XendError

#: The NetBSD HOWTO's example, without a name.
HOWTO = """\
kernel = "/netbsd-XEN3_DOMU.gz"
memory = 256
vif = [ 'mac=aa:00:00:50:02:f0,bridge=bridge0' ]
disk = [ 'file:/n0/xen/foo-wd0,0x0,w',
         'file:/n0/xen/netbsd-ISO.iso,0x1,r' ]
"""


def complaint(what: Callable[[], object]) -> XendError:
    """The error that a call ends with: one line, not long."""
    with pytest.raises(XendError) as raised:
        what()
    assert raised.value.message.isprintable()
    assert len(str(raised.value)) < 700
    return raised.value


def config(
    text: str, *extra: str, name: str | None = "foo", given: Mapping[str, object] | None = None
) -> DomainConfig:
    """The configuration of a text; the kernel is added.  given: what shall stand there."""
    read = parse(text + "\nkernel = '/netbsd'", source="foo.cfg", name=name, extra=extra)
    return read if given is None else attrs.evolve(read, given=given)


def problems(text: str, *extra: str) -> list[dict[str, Any]]:
    """The maps of all that is wrong with it."""
    found: list[dict[str, Any]] = complaint(lambda: config(text, *extra)).fields["problems"]
    return found
