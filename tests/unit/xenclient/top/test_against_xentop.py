"""With -b it prints what Debian's xentop prints of the same figures, byte for byte."""

import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.chance import seeds
from tests.peers.daemons import need, preloaded
from tests.peers.debian import XEN_BIN
from tests.unit.xenclient.top.answers import answer, domain, frame, history, vbd, vif
from xenclient.cli.top.choices import choices
from xenclient.cli.top.figures import figures
from xenclient.cli.top.lines import Lines
from xenclient.cli.top.program import parsed

XENTOP = XEN_BIN / "xentop"
OPTIONS = ("", "-n", "-x", "-v", "-r", "-f", "-nxv", "-fr", "-nxvrf")

pytestmark = [pytest.mark.peer, pytest.mark.process]


def ours(answers: list[dict[str, Any]], options: str) -> bytes:
    given = parsed([os.fsencode(word) for word in options.split()])
    lines = Lines(choices(given.__contains__, given.get))
    return b"".join(
        lines.of(figures(found, before)) for found, before in zip(answers, [None, *answers], strict=False)
    )


def theirs(answers: list[dict[str, Any]], options: str, scratch: Path) -> bytes:
    (scratch / "frames").write_text("".join(map(frame, answers)))
    return subprocess.run(
        [XENTOP, "-b", f"-i{len(answers)}", "-d1", *options.split()],
        env={"LD_PRELOAD": preloaded("xenstat"), "XENSTAT_FRAMES": str(scratch / "frames"), "TERM": "dumb"},
        capture_output=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("seed", seeds(20, 400))
def test_of_any_domains(tmp_path: Path, seed: int) -> None:
    need(XENTOP)
    chance = random.Random(seed)
    answers = history(chance, 3)
    options = OPTIONS[seed % len(OPTIONS)]
    assert ours(answers, options) == theirs(answers, options, tmp_path)


EDGES = {
    "none but dom0": [domain(0, "Domain-0", max_memory_kib=None)],
    "names of each length": [domain(each, "n" * each, max_memory_kib=None) for each in range(1, 14)],
    "bytes that are no letters": [
        domain(1, "näme-äöü-ß"),
        domain(2, "Äb"),
        domain(3, "a_b"),
        domain(4, "aB"),
    ],
    "many vCPUs": [
        domain(
            1,
            "m",
            max_vcpus=12,
            vcpu_times=[
                {"number": each, "online": each % 5 != 0 or each == 10, "cpu_time_ns": each * 10**9}
                for each in range(12)
            ],
        )
    ],
    "the widest figures": [
        domain(1, "w", vifs=[vif(0, *[2**63 - 1] * 8)], vbds=[vbd(51712, *[2**63 - 1] * 5)]),
        domain(2, "z", vifs=[vif(0, *[0] * 8)], vbds=[vbd(51712, *[0] * 5), vbd(2)]),
    ],
    "exactly as wide": [domain(1, "e", vbds=[vbd(51712, 99_999_999, 99_999_999, 10**8, 10**10 - 1, 10**10)])],
    "nothing known": [domain(1, "u", vbds=[vbd(51712), vbd(51728)])],
    "shares of a thousandth": [domain(1, "s", memory_kib=(16 << 20) * each // 2000) for each in range(1, 12)],
}


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("edge", EDGES)
def test_edges(tmp_path: Path, edge: str, options: str) -> None:
    need(XENTOP)
    domains = [
        {**each, "vcpu_times": each.get("vcpu_times", [{"number": 0, "online": True, "cpu_time_ns": 0}])}
        for each in EDGES[edge]
    ]
    later = [{**each, "cpu_time_ns": each["cpu_time_ns"] + 123_456_789} for each in domains]
    answers = [answer(10, *domains), answer(11, *later)]
    assert ours(answers, options) == theirs(answers, options, tmp_path)
