"""A program of others in a mount namespace of its own, where some of its files are ours."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.manager.daemon import PATIENCE_SECONDS


def run(mounts: str, *words: str | Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run it to its end.

    mounts: a script of sh, which mounts what its first words say and then executes the others.
    """
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    return subprocess.run(
        [*unshare, "sh", "-c", mounts, "sh", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
