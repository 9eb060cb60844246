"""A kind of operation: one row of the table in `xend.kinds`."""

import enum
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, TypeVar

import attrs

from xend.operation.facts import Facts
from xend.operation.locks import Lock, domain_locks
from xend.operation.steps import Step

HostType = TypeVar("HostType")
FactsType = TypeVar("FactsType", bound=Facts)


class Effect(enum.Enum):
    """What an operation does to the life of its domain; others decide by it what they do meanwhile."""

    #: It begins the first life of a domain.
    MAKES = "makes"
    #: It ends one life and begins the next, or the second of these.
    RESTARTS = "restarts"
    #: It asks the guest for something, and may wait long for that.
    ASKS = "asks"
    #: It ends the domain and does nothing else.
    DESTROYS = "destroys"
    #: It ends the domain after something else: a request to its guest, a core dump.
    ENDS = "ends"
    #: The domain lives on, with something changed.
    CHANGES = "changes"


def locks_of_facts(facts: Facts) -> list[Lock]:
    """What nearly every kind locks: the domain that the facts name."""
    return domain_locks(facts.uuid, facts.name)


@attrs.frozen(kw_only=True)
class Kind(Generic[HostType, FactsType]):
    """One kind of operation.

    Attributes:
        facts: its class of facts, which has the kind's name.
        plan: the steps of an operation with such facts, in their order.  They are made again from a record
            after xend's death: from equal facts come steps of equal keys.
        effect: what it does to the domain.
        on_crash: what another xend does with an operation that xend's death cut off: "undo" it all, or
            "resume" it: undo back to the nearest step without an undo, and go on from there; "undo or
            resume": resume it once a step without an undo was begun, as there is no way back then, and undo
            all of it before.
        title: what it is called where people read of it: "core dump"; unless given, the verb of its name.
        locks: what an operation with such facts holds.
        state: what the domain's state is called while it runs; None: it is shown as it would be without.
        is_queued: a call for it waits for its turn after others that are queued on the same domain; all
            other kinds are refused while the domain is worked on.
    """

    facts: type[FactsType]
    plan: Callable[[HostType, FactsType], Sequence[Step]]
    effect: Effect
    on_crash: Literal["undo", "resume", "undo or resume"]
    title: str = attrs.field()
    locks: Callable[[FactsType], list[Lock]] = locks_of_facts
    state: str | None = None
    is_queued: bool = False

    @title.default
    def _verb(self) -> str:
        return self.facts.KIND.removeprefix("domain.")

    @property
    def name(self) -> str:
        """As the bus, the log and records have it: "domain.create"."""
        return self.facts.KIND


def unknown_kind(name: str) -> Kind[Any, Facts]:
    """Stands for a kind that a record names and this xend does not know: nothing can be done with it."""

    class UnknownFacts(Facts):
        KIND = name

    return Kind(facts=UnknownFacts, plan=_no_steps, title=name, effect=Effect.CHANGES, on_crash="undo")


def _no_steps(host: Any, facts: Facts) -> Sequence[Step]:
    return ()
