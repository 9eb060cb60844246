"""The guide's tables of messages: each is provoked, printed as it stands there, and mended."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guide.book import DOMAINS, blocks
from tests.guide.domains_provocations import ALL as DOMAINS_ALL
from tests.guide.messages import pattern, printed_otherwise, unprovoked, varying
from tests.guide.netbsd import NetBSD
from tests.guide.provocations import ALL
from tests.starter import Starter

#: As long as devices take that come up on a busy machine.
PATIENCE = "--init-seconds 10 --hotplug-seconds 10 --destroy-seconds 3"
RC_CONF = f'xencommons=YES\nxend=YES\nxend_flags="{PATIENCE}"\n'
#: What messages are about: a domain whose disk and bridge are there.
FOO = """\
kernel = "/netbsd-XEN3_DOMU.gz"
memory = 256
disk = [ 'file:/vm/foo-wd0,0x0,w' ]
vif = [ 'bridge=bridge0' ]
"""
FURNISH = """\
mkdir /vm && dd if=/dev/zero of=/vm/foo-wd0 bs=1m count=1 &&
    ifconfig bridge0 create && brconfig bridge0 add wm0 up"""


@pytest.fixture
def installed(wheel_file: Path, starter: Starter) -> Iterator[NetBSD]:
    """All is installed as the guide says, and nothing runs."""
    made = NetBSD(wheel_file, starter)
    try:
        made.power_on()
        for block in blocks("netbsd"):
            if block.section in ("What must be there", "Installing"):
                made.follow(block)
        made.put("/etc/rc.conf", RC_CONF)
        made.put("/usr/pkg/etc/xen/foo", FOO)
        assert made.typed(FURNISH).returncode == 0
        yield made
    finally:
        made.close()


def test_each_message_has_a_provocation() -> None:
    assert unprovoked(ALL) == []
    assert unprovoked(DOMAINS_ALL, DOMAINS) == []


def test_each_is_printed_as_it_stands_there(installed: NetBSD) -> None:
    wrong = printed_otherwise(installed, ALL)
    assert not wrong, "\n".join(wrong)


def test_what_is_said_differently_is_noticed() -> None:
    assert pattern("xend: x ... (pid 98)").fullmatch(varying("xend: x and y (pid 7)"))
    assert not pattern("xend: x (pid 98)").fullmatch(varying("xend: y (pid 98)"))
