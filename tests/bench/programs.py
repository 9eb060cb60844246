"""The programs in C that measuring needs, compiled when first needed."""

import subprocess
from pathlib import Path

SOURCES = Path(__file__).with_name("native")
ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "bench"

_PARTS = {
    "load": (
        "main", "clock", "histogram", "poller", "connection", "setup",
        "script", "closed", "fanout", "removal",
    ),
    "null": ("null", "poller"),
    "awake": ("awake",),
    "hotplug": ("hotplug",),
}  # fmt: skip


def program(name: str) -> Path:
    """The path of "load", "null", "awake" or "hotplug", compiled if it is missing or older than its sources.

    Raises:
        RuntimeError: the compiler is missing or has failed; its words are in the text.
    """
    path = BUILD / name
    sources = [SOURCES / f"{part}.c" for part in _PARTS[name]]
    newest = max(file.stat().st_mtime for file in [*sources, *SOURCES.glob("*.h")])
    if not path.exists() or path.stat().st_mtime < newest:
        BUILD.mkdir(parents=True, exist_ok=True)
        _compile(sources, path)
    return path


def _compile(sources: list[Path], path: Path) -> None:
    command: list[str | Path] = ["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", path, *sources]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise RuntimeError("no C compiler: install gcc (or clang), reachable as cc") from None
    if done.returncode != 0:
        raise RuntimeError(f"compiling {path.name} failed:\n{done.stderr}")
