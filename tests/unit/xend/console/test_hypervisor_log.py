"""The hypervisor's messages: each once, as long as its buffer holds what comes between two looks."""

import random
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.unit.xend.console.world import Host
from xend.console.hypervisor_log import LOOK_SECONDS, follow, new_part
from xend.console.log import ConsoleLog


@pytest.mark.parametrize(
    ("seen", "buffer", "expected"),
    [
        (b"", b"", b""),
        (b"", b"abc", b"abc"),
        (b"abc", b"abc", b""),
        (b"abc", b"abcdef", b"def"),
        (b"abcdef", b"cdefgh", b"gh"),
        (b"abcdef", b"xyz", b"xyz"),
        (b"abc", b"", b""),
        (b"aaaa", b"aaaaaa", b"aa"),
    ],
)
def test_the_new_part(seen: bytes, buffer: bytes, expected: bytes) -> None:
    assert new_part(seen, buffer) == expected


@pytest.mark.parametrize("seed", range(5))
def test_every_message_is_copied_once(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    said = b""

    async def main() -> None:
        nonlocal said
        host = Host()
        log = ConsoleLog(str(tmp_path / "hypervisor.log"), host.lines.append)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow, host, log, host.lines.append)
            for number in range(100):
                said += b"(XEN) message %d of %d\n" % (number, rng.randrange(1000)) * rng.randrange(3)
                host.messages = said[-300:]
                await trio.sleep(LOOK_SECONDS)
            await trio.sleep(LOOK_SECONDS)
            nursery.cancel_scope.cancel()
        assert host.lines == []

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert (tmp_path / "hypervisor.log").read_bytes() == said
