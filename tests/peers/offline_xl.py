"""Debian's own xl as a judge of configurations, without a hypervisor: many files in one process."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from tests.peers.daemons import preloaded
from tests.peers.debian import XEN_BIN

XL = XEN_BIN / "xl"
SECONDS = 120
#: How much of paths one process takes, with room to spare.
_FILES_EACH = 2000


@attrs.frozen
class Verdict:
    """What xl makes of a file.

    Attributes:
        config: its JSON of what it understood; None: it refuses the file.
        said: on stderr.
    """

    config: dict[str, Any] | None
    said: str


def judge(texts: Sequence[str], directory: Path) -> Iterator[Verdict]:
    """The verdicts on texts, in their order; directory: an empty one, for files."""
    paths = [directory / f"{number}.cfg" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    for first in range(0, len(paths), _FILES_EACH):
        yield from _judge(paths[first : first + _FILES_EACH])


def _judge(paths: Sequence[Path]) -> Iterator[Verdict]:
    done = subprocess.run(
        [XL],
        env={**os.environ, "LD_PRELOAD": preloaded("xl_offline"), "XL_BATCH": "1", "LC_ALL": "C"},
        input="".join(f"{path}\n" for path in paths),
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    for path, line in zip(paths, done.stdout.splitlines(), strict=True):
        status, _, judged = line.partition(" ")
        assert judged == str(path)
        printed = Path(f"{path}.out").read_text(errors="surrogateescape")
        said = Path(f"{path}.err").read_text(errors="surrogateescape")
        yield Verdict(json.loads(printed[printed.index("{") :]) if status == "0" else None, said)
