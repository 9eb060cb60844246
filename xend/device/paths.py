"""Where the scripts of devices are."""

import os

from xend.errors import XendError
from xend.settings import Settings


def script_path(settings: Settings, name: str, device: str) -> str:
    """Absolute path of a script of the script directory.

    Raises:
        XendError: it lies elsewhere: a configuration must not make xend run any program as root.
    """
    directory = os.fspath(settings.script_directory)
    path = os.path.normpath(os.path.join(directory, name))
    if os.path.dirname(path) != os.path.normpath(directory):
        raise XendError(
            "bad_config",
            f"{device}: script {name} is not in the script directory",
            device=device,
            hint=f"put it into {directory} and give its name only",
        )
    return path
