"""Strictness in degrees: what becomes of an option, by its row in the table, its value and the guest's type.

a name that xl does not read                                        a warning
no effect on this type of guest, or a value that happens anyway     taken, with a note for config-check
what would make another guest and cannot be had; no such value      a problem
"""

from xend.config.grammar import Assignment, Value
from xend.config.option import HVM, Option, closest
from xend.config.options import OPTIONS, XM
from xend.config.place import shown
from xend.config.problem import Findings, Problem

__all__ = ["judge", "unread"]

_HERE = [option.name for option in OPTIONS.values() if option.is_here]
#: Of a name that is none, as far as a warning's field holds it.
MAX_NAME_CHARS = 60
_PROTECTING = "it protects, so it is never passed over: without it the domain would be less restricted"


def judge(option: Option, value: Value, guest_type: str, findings: Findings) -> None:
    """Note what is to be said of an option that this xend does not read."""
    read = f"{option.name} = {value}"
    more = {"option": option.name, "value": str(value)}
    has_effect, is_neutral = option.has_effect(guest_type), option.is_neutral(value)
    without = f"has no effect on a {guest_type} domain"
    if not is_neutral and not option.is_of_kind(value):
        text = f"{read}: expected {option.accepted}"
        if has_effect or (
            option.words and option.guests != HVM and value.items is None
        ):  # these xl reads for every type
            findings.problems.append(Problem.at(value.place, text, **more))
        else:
            findings.warnings.append(Problem.at(value.place, f"{text}; it {without}", **more))
    elif has_effect and not is_neutral:
        text = f"{read}: {option.lacks}; expected {option.accepted_here}"
        hint = _PROTECTING if option.protects else None
        findings.problems.append(Problem.at(value.place, text, code="unsupported", hint=hint, **more))
    else:
        why = "asks for what happens anyway" if has_effect else without
        reason = f": {option.lacks}" if not has_effect and not option.guests else ""
        findings.notes.append(Problem.at(value.place, f"{read} {why}{reason}", **more))


def unread(assignment: Assignment) -> Problem:
    """The warning of a name that stands in no row."""
    name, value = assignment.name, str(assignment.value)
    hint = None
    if name in XM:
        text = f"{name} = {value} has no effect: it was an option of xm's, which xl does not read"
        hint = XM[name]
    else:
        text = f"{shown(name)} has no effect: there is no such option"
        hint = closest(name.lower(), _HERE) or closest(name.lower(), OPTIONS)
    return Problem.at(assignment.place, text, hint=hint, option=name[:MAX_NAME_CHARS], value=value)
