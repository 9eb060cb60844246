"""How daemons start a Python: it imports nothing from where somebody else may have put a module.

`python -m` and a script given by its path put a directory in front of all others, the current one or the
script's own; -P (Python 3.11) does not.  An empty or relative entry of PYTHONPATH means the current
directory, too.  This is the only module that names the interpreter.
"""

import os
import sys
from collections.abc import Mapping, Sequence

#: Where children begin: nobody but root writes there.
DIRECTORY = "/"


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours, as `python -m` would."""
    return [sys.executable, "-P", "-m", name, *arguments]


def again(arguments: Sequence[str]) -> list[str]:
    """The command that runs the program again that this process runs, with other arguments.

    It is told apart by the system as this one is: by interpreter and program.
    """
    given = len(sys.argv) - 1
    words = [word for word in sys.orig_argv[1 : len(sys.orig_argv) - given] if word != "-P"]
    if words and words[-1] == sys.argv[0]:  # a script's path
        words[-1] = os.path.join(_STARTED_IN, words[-1])
    return [sys.executable, "-P", *words, *arguments]


def environment(of: Mapping[str, str]) -> dict[str, str]:
    """An environment for a child, without the places in it that depend on the directory it is started in."""
    safe = dict(of)
    entries = [entry for entry in safe.pop("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(entry)]
    if entries:
        safe["PYTHONPATH"] = os.pathsep.join(entries)
    return safe


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # removed
        return DIRECTORY


_STARTED_IN = _directory()
