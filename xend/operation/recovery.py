"""Operations made again from the records of an xend before this one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from xend.errors import XendError
from xend.operation.facts import Facts
from xend.operation.kind import Kind, unknown_kind
from xend.operation.locks import Lock
from xend.operation.record import check_version, checked
from xend.operation.running import ENDED, Operation, step_of_the_past
from xend.operation.steps import Step

Fields = dict[str, Any]
#: Keys of steps that older xends recorded, and what they are called now: the same step, as far as undoing it
#: and doing it again go.
RENAMED_KEYS = {"populate": "claim"}


@attrs.frozen
class Recovery:
    """Makes them.

    Attributes:
        kinds: the table of all kinds, by name.
        host: what their plans are given besides the facts.
    """

    kinds: Mapping[str, Kind[Any, Any]]
    host: Callable[[], Any]

    def operation(self, operation_id: str, fields: Fields | None) -> Operation:
        """The operation of a record: one that has ended, or one that can be taken up.

        Raises:
            ValueError: it is no record, or one that this xend cannot use; says why.
            Exception: of any kind, where the facts are such that no plan can be made of them.
        """
        if fields is None:
            raise ValueError("it is no record")
        check_version(fields)
        checked(fields, "kind", "state", "domain", "steps", "step", "facts", "facts_version")
        fields = with_new_keys(fields)
        return (
            self._ended(operation_id, fields)
            if fields["state"] in ENDED
            else self._cut_off(operation_id, fields)
        )

    def lost(self, operation_id: str, fields: Fields) -> Operation | None:
        """Stands for an operation whose record cannot be used; None: the record does not even say of what.

        Nothing of it can be done or undone.
        """
        try:
            kind = self.kinds.get(fields["kind"]) or unknown_kind(str(fields["kind"]))
            facts = Facts(name=domain_of(fields) or "", uuid="")
            return _made(operation_id, kind, facts, (), {**fields, "warnings": ()})
        except Exception:  # noqa: BLE001 - whatever stands in the record, xend starts
            return None

    def _cut_off(self, operation_id: str, fields: Fields) -> Operation:
        if fields["kind"] not in self.kinds:
            raise ValueError(f"this xend knows no operation {fields['kind']!r}")
        kind = self.kinds[fields["kind"]]
        facts = kind.facts.from_fields(fields["facts_version"], fields["facts"])
        steps = kind.plan(self.host(), facts)
        operation = _made(operation_id, kind, facts, steps, fields)
        operation.step, operation.first_new_step = place(steps, fields["steps"], fields["step"])
        operation.state = fields["state"]
        return operation

    def _ended(self, operation_id: str, fields: Fields) -> Operation:
        checked(fields, "ended", "result", "error", "domid")
        kind = self.kinds.get(fields["kind"]) or unknown_kind(fields["kind"])
        facts = Facts(name=fields["domain"], uuid="", domid=fields["domid"])
        steps = [step_of_the_past(key, name) for key, name in fields["steps"]]
        operation = _made(operation_id, kind, facts, steps, fields)
        operation.ended_at = float(fields["ended"])
        operation.work.result = fields["result"]
        error = fields["error"]
        step, _ = place(steps, fields["steps"], fields["step"])
        operation.remember(fields["state"], None if error is None else XendError.from_map(error), step)
        return operation


def with_new_keys(fields: Fields) -> Fields:
    """A record with the keys that its steps have today."""
    steps = [[RENAMED_KEYS.get(key, key), name] for key, name in fields["steps"]]
    return {**fields, "steps": steps, "step": RENAMED_KEYS.get(fields["step"], fields["step"])}


def place(steps: Sequence[Step], recorded: Sequence[Sequence[str]], current: str | None) -> tuple[int, int]:
    """Where in the steps of this xend's plan an operation stands that another xend recorded.

    Args:
        recorded: key and name of each step of the other's plan.
        current: the key of the step that ran; None: none ran yet.

    Returns the index of that step (-1: none), and that of the first step which the other's plan had not.

    Raises:
        ValueError: a step that was begun is not in this xend's plan: it can be neither done nor undone.
    """
    keys, before = [step.key for step in steps], [key for key, _ in recorded]
    first_new = next((index for index, key in enumerate(keys) if key not in before), len(keys))
    if current is None:
        return -1, first_new
    if current not in before:
        raise ValueError(f"its step {current!r} is none of its steps")
    for key in before[: before.index(current) + 1]:
        if key not in keys:
            raise ValueError(f"it began the step {key!r}, which this xend does not know")
    return keys.index(current), first_new


def domain_of(fields: Fields) -> str | None:
    """The domain's name that a record has; None: it has none."""
    domain = fields.get("domain")
    return domain if isinstance(domain, str) and domain else None


def _made(
    operation_id: str, kind: Kind[Any, Any], facts: Facts, steps: Sequence[Step], fields: Fields
) -> Operation:
    checked(fields, "key", "started", "locks")
    key, started = fields["key"], fields["started"]
    operation = Operation(operation_id, kind, facts, steps, key=key, started=started)
    operation.locks = [Lock.parse(text) for text in fields["locks"]]
    operation.work.warnings = [XendError.from_map(each) for each in fields.get("warnings", ())]
    return operation
