"""A configuration that is right, and what is said about ones that are not."""

from collections.abc import Callable

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


def config(text: str, *extra: str, name: str | None = "foo") -> DomainConfig:
    """The configuration of a text; the kernel is added."""
    return parse(text + "\nkernel = '/netbsd'", source="foo.cfg", name=name, extra=extra)
