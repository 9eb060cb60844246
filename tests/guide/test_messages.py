"""The guide's tables of messages: each is provoked, printed as it stands there, and mended."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guide.book import blocks, rows
from tests.guide.netbsd import NetBSD
from tests.guide.provocations import ALL
from tests.starter import Starter

#: What they are about: a domain whose disk and bridge are there.
RC_CONF = 'xencommons=YES\nxend=YES\nxend_flags="--init-seconds 3 --hotplug-seconds 3 --destroy-seconds 1"\n'
FOO = """\
kernel = "/netbsd-XEN3_DOMU.gz"
memory = 256
disk = [ 'file:/vm/foo-wd0,0x0,w' ]
vif = [ 'bridge=bridge0' ]
"""
FURNISH = """\
mkdir /vm && dd if=/dev/zero of=/vm/foo-wd0 bs=1m count=1 &&
    ifconfig bridge0 create && brconfig bridge0 add wm0 up"""
_VARIES = re.compile(r"[0-9a-f]*\d[0-9a-f]*")


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
    messages = [row.message for row in rows()]
    found = {message: [row for row in ALL if message.startswith(row.begins)] for message in messages}
    assert [message for message, those in found.items() if len(those) != 1] == []
    assert len(ALL) == len(messages)


def test_each_is_printed_as_it_stands_there(installed: NetBSD) -> None:
    wrong = []
    for row in ALL:
        (message,) = [each.message for each in rows() if each.message.startswith(row.begins)]
        said = installed.typed(row.script).stdout
        if not any(pattern(message).fullmatch(varying(line)) for line in said.splitlines()):
            wrong.append(f"{message}\n{said}")
        mended = installed.typed(row.mend)
        if mended.returncode != 0:
            wrong.append(f"{row.mend}\n{mended.stdout}")
    assert not wrong, "\n".join(wrong)


def pattern(message: str) -> re.Pattern[str]:
    """For lines that are that message; "..." is anything."""
    return re.compile(".*".join(map(re.escape, varying(message).split("..."))))


def varying(line: str) -> str:
    """The line, with every number as N."""
    return _VARIES.sub("N", line)


def test_what_is_said_differently_is_noticed() -> None:
    assert pattern("xend: x ... (pid 98)").fullmatch(varying("xend: x and y (pid 7)"))
    assert not pattern("xend: x (pid 98)").fullmatch(varying("xend: y (pid 98)"))
