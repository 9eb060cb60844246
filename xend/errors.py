"""What went wrong, for the person who has to mend it: one class, a code for programs, fields for both.

The same map travels over the bus (docs/bus.md, "Errors").
"""

from collections.abc import Mapping
from typing import Any

from xenstore.daemon.text import clean_lines, one_line

#: All codes an error may have, and what each means.
CODES = {
    "bad_request": "the call is malformed: unknown method, missing or wrong parameter",
    "bad_config": "the configuration is wrong; message holds file and line",
    "not_permitted": "this socket, or this user, may not do that",
    "no_such_domain": "no domain has this name, domid or UUID",
    "no_such_device": "the domain has no such device",
    "no_such_pool": "no CPU pool has this name or number",
    "no_such_operation": "no operation has this id (those that ended are forgotten after a while)",
    "name_in_use": "another domain has this name",
    "uuid_in_use": "another domain has this UUID",
    "wrong_state": "the domain's state does not allow this",
    "busy": "another operation on this domain has not ended",
    "out_of_memory": "the host has not enough free memory",
    "bad_image": "kernel, ramdisk or disk cannot be read or is none",
    "guest_died": "the domain ended while it was worked on",
    "no_answer": "somebody did not do in time what was awaited; waited_s says how long",
    "script_failed": "a hotplug script failed; script_output holds its last lines",
    "device_failed": "a backend or frontend refused or gave up",
    "cancelled": "the operation was cancelled, and undone",
    "too_slow": "the listener fell behind the event stream, or asked for events no longer kept",
    "hypervisor_failed": "the hypervisor refused; cause says why",
    "store_failed": "xenstored refused or is gone; cause says why",
    "unsupported": "this program cannot do that (yet)",
    "internal": "a fault of xend's own; the log has the traceback",
}


class XendError(Exception):
    """A refusal or a failure, in one line.

    Guests, scripts and file names have a hand in it: whatever it is made of, its texts are made printable
    here, and so what anybody reads of it, on the bus, in the log and on a terminal.

    Args:
        code: one of CODES.
        message: what failed, on what, what was expected; one line, without the hint.
        domain: name of the domain concerned (or its domid as text where it has no name).
        device: for example "vif 0" or "vbd xvda".
        step: name of the operation's step that failed.
        waited_s: how long something was waited for, in seconds.
        cause: the lower layer's words.
        hint: what to do next.
        script_output: the last lines of a script's output, each of them printable.
        warnings: what went wrong besides, in an operation: maps of errors.
        reason: why, as a word that programs may act on: one of xend.device.reasons.REASONS.
        method: the call that is at fault, where the message speaks of nothing but its parameters.
        problems: maps of all that is wrong with a configuration (xend.config.problem).
    """

    FIELDS = (
        "method", "domain", "device", "step", "waited_s", "cause", "hint", "script_output", "reason",
        "warnings", "problems",
    )  # fmt: skip

    def __init__(self, code: str, message: str, **fields: Any) -> None:
        assert code in CODES, code
        assert set(fields) <= set(self.FIELDS), fields
        self.code = code
        self.message = one_line(message)
        super().__init__(self.message)
        self.fields = {name: _clean(name, value) for name, value in fields.items() if value is not None}

    def annotated(self, **fields: Any) -> "XendError":
        """The same error with fields added that it did not have."""
        return XendError(self.code, self.message, **{**fields, **self.fields})

    def because(self, doing: str) -> "XendError":
        """The same error as the reason why something else failed: "could not undo 'write its nodes'"."""
        return XendError(self.code, f"{doing}: {self.message}", **self.fields)

    def as_map(self) -> dict[str, Any]:
        """As it travels over the bus: {code, message, and those of FIELDS that are known}."""
        return {"code": self.code, "message": self.message, **self.fields}

    @classmethod
    def from_map(cls, fields: Mapping[str, Any]) -> "XendError":
        """The inverse of `as_map`, for records on disk; unknown codes become "internal"."""
        code = fields.get("code")
        known = {name: fields[name] for name in cls.FIELDS if name in fields}
        return cls(code if code in CODES else "internal", str(fields.get("message", "")), **known)

    def __str__(self) -> str:
        """One line: method, message, cause, hint."""
        text = f"{method}: {self.message}" if (method := self.fields.get("method")) else self.message
        if cause := self.fields.get("cause"):
            text += f": {cause}"
        if hint := self.fields.get("hint"):
            text += f" ({hint})"
        return text


def _clean(field: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return "\n".join(clean_lines(value)) if field == "script_output" else one_line(value)
