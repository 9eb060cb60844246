"""Why a device does not work, as values: an error's field `reason`, set where the error is raised.

Nothing here is found by reading words; what a script printed is read in `script_text` alone.
"""

from collections.abc import Mapping

__all__ = ["REASONS", "SCRIPT_ENDED", "UNRUNNABLE"]

#: A script cannot be run; each with the likely cause for who asks what is wrong with a device.
UNRUNNABLE: Mapping[str, str] = {
    "missing": "its script is not there",
    "no_file": "what is named as its script is no file",
    "closed_directory": "xend may not look into the directory of its script",
    "not_executable": "its script may not be executed: see its mode",
    "noexec": "its script is on a file system that is mounted noexec",
    "no_interpreter": "the interpreter that the script's first line names cannot be run",
    "carriage_return": "the script has line ends of Windows: tr -d '\\r' takes them away",
    "no_first_line": "the script does not begin with #! and an interpreter",
}

#: A script ended otherwise than it should: only its own words can say why.
SCRIPT_ENDED: Mapping[str, str] = {
    "exit_status": "it exited with a status other than 0",
    "signal": "it was ended by a signal",
    "not_connected": "it ended without an error and did not write hotplug-status",
}

#: All of them, each with what it means.
REASONS: Mapping[str, str] = {
    **UNRUNNABLE,
    "not_started": "the system refuses to run its script",
    "timeout": "the script waits for something: run it by hand with sh -x",
    **SCRIPT_ENDED,
    "no_driver": "no driver has taken up the backend",
    "no_model": "its device model (qemu) does not serve it, or has died",
    "backend_removed": "the domain that served it is gone, or has removed its backend",
}
