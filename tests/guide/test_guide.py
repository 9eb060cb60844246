"""The guide from its first line to its messages, on NetBSD and Linux: every block is done as it says."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.guide.book import DOMAINS, GUIDE, all_blocks, blocks
from tests.guide.following import follow
from tests.guide.host import Host
from tests.guide.linux import Linux
from tests.guide.netbsd import NetBSD
from tests.starter import Starter

LINES_MOST = 530
LINE_MOST = 120
ESCAPE = b"\x1d"
INTERRUPT = b"\x03"
#: Of who ran the command, whom the key interrupts as well.
INTERRUPTED = (130, -2)


@pytest.fixture(params=[NetBSD, Linux], ids=["netbsd", "linux"])
def host(request: pytest.FixtureRequest, wheel_file: Path, starter: Starter) -> Iterator[Host]:
    made: Host = request.param(wheel_file, starter)
    try:
        made.power_on()
        yield made
    finally:
        made.close()


def on_console(host: Host, command: str) -> None:
    """A command that attaches to foo's console; Return has the guest ask again."""
    with host.terminal(command) as terminal:
        terminal.type(b"\r")
        terminal.until(b"foo login: ")
        terminal.type(ESCAPE)
        assert terminal.end()[0] == 0


def while_there_is(happening: str, shown: bytes) -> Callable[[Host, str], None]:
    """A command that shows something of what happens meanwhile, until it is interrupted."""

    def check(host: Host, command: str) -> None:
        seen = f"/tmp/seen-{command.split()[0]}"
        repeated = f"until [ -e {seen} ]; do {happening}; done"
        with host.popen("sh", "-c", repeated) as running, host.terminal(command) as terminal:
            try:
                terminal.until(shown)
            finally:
                host.write(seen, "")
                running.communicate()
            terminal.type(INTERRUPT)
            assert terminal.end()[0] in INTERRUPTED

    return check


#: Commands that go on until somebody ends them.
INTERACTIVE = {
    "xl create -c foo kernel=/netbsd-INSTALL_XEN3_DOMU.gz": on_console,
    "xl console foo": on_console,
    "xl events": while_there_is("xl pause db; xl unpause db", b" domain "),
    "xenstore-watch /local/domain": while_there_is(
        "xenstore-write /local/domain/0/x 1", b"/local/domain/0/x"
    ),
}


def test_the_guide(host: Host) -> None:
    follow(host, blocks("linux" if isinstance(host, Linux) else "netbsd"), INTERACTIVE)


@pytest.mark.parametrize("guide", [GUIDE, DOMAINS], ids=lambda guide: guide.name)
def test_every_block_is_done_somewhere(guide: Path) -> None:
    text = guide.read_text()
    assert len(all_blocks(guide)) == text.count("\n```") / 2 > 10
    assert not re.search(r"^(    |\t)", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)


@pytest.mark.parametrize("guide", [GUIDE, DOMAINS], ids=lambda guide: guide.name)
def test_files_are_named_before_they_are_shown(guide: Path) -> None:
    lines = guide.read_text().splitlines()
    for block in all_blocks(guide):
        if block.kind == "conf":
            before = "\n".join(lines[max(0, block.line - 14) : block.line - 1])
            assert f"`{block.path.removeprefix('+')}`" in before, f"line {block.line}"


@pytest.mark.parametrize("guide", [GUIDE, DOMAINS], ids=lambda guide: guide.name)
def test_it_is_short(guide: Path) -> None:
    text = re.sub(r"^```conf.*?^```", "", guide.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert len(guide.read_text().splitlines()) <= LINES_MOST
    assert [line for line in text.splitlines() if len(line) > LINE_MOST and not line.startswith("|")] == []
