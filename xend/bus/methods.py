"""Methods: what they are called, who may call them, what they take; and calls that do not fit them."""

import difflib
import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import attrs

from xend.bus.connection import Connection
from xend.bus.kinds import SECONDS, TEXT, Kind, choice, no_text, quoted, what_is
from xend.bus.peer import Peer
from xend.errors import XendError

__all__ = ["OPERATION", "Call", "Method", "Methods", "Parameter", "optional", "required"]

#: Longer words are compared with nothing: difflib's time grows with the square.
_WORD_MAX = 64
_EVERY_CALL = "deadline_s"


@attrs.define(eq=False)
class Call:
    """One call under way.

    Attributes:
        access: what the caller may: "operate" (everything) or "read".
        peer: who calls; None where the transport is no socket.
        connection: see `xend.bus.connection.Connection`: notify, on_close, start, send.
        methods: all methods of this server.
        afterwards: what `after_answer` was given.
    """

    method: str
    access: str
    peer: Peer | None
    connection: Connection
    methods: "Methods"
    afterwards: list[Callable[[], object]] = attrs.field(factory=list, init=False)

    def notify(self, method: str, fields: Mapping[str, Any]) -> None:
        """Send the caller a notification; it goes out before this call's answer."""
        self.connection.notify(method, fields)

    def after_answer(self, callback: Callable[[], object]) -> None:
        """Have `callback()` called once the answer is under way: what it sends follows it."""
        self.afterwards.append(callback)


@attrs.frozen
class Parameter:
    """Attributes:
    operate: only who may operate may give it, though the method is for readers.
    """

    kind: Kind
    is_required: bool = False
    operate: bool = False


def required(kind: Kind) -> Parameter:
    """A parameter that must be given."""
    return Parameter(kind, is_required=True)


def optional(kind: Kind, *, operate: bool = False) -> Parameter:
    """A parameter that may be left out, or nil; the function's own default holds then."""
    return Parameter(kind, operate=operate)


#: What every call that is an operation takes besides its own parameters (docs/bus.md, "Operations").
OPERATION = {"key": optional(TEXT), "wait_for": optional(choice("accepted"))}


@attrs.frozen
class Method:
    """Something that can be called.

    Attributes:
        name: "noun.verb".
        access: "read" or "operate": who may.
        parameters: by name; `deadline_s` is every method's and stands in none.
        function: gets the call and the parameters that were given; returns the result (what MessagePack
            can say), raises XendError.  Cancelled when the deadline passes.
        cancel_on_close: also cancelled when the caller goes; otherwise it goes on, unheard.
    """

    name: str
    access: str = attrs.field(validator=attrs.validators.in_(("read", "operate")))
    parameters: Mapping[str, Parameter]
    function: Callable[..., Awaitable[object]]
    cancel_on_close: bool = False

    def is_for(self, access: str) -> bool:
        """Whether who has this access may call it."""
        return access == "operate" or self.access == "read"

    def arguments(self, params: list[Any], access: str) -> dict[str, Any]:
        """The parameters of a call, checked; those that are nil are left out.

        Raises:
            XendError: bad_request, or not_permitted.
        """
        given = self._map(params)
        for name, value in given.items():
            self._check(name, value, access)
        for name, parameter in self.parameters.items():
            if parameter.is_required and given.get(name) is None:
                hint = f"it is {parameter.kind.name}"
                raise XendError("bad_request", f"parameter {name} is missing", method=self.name, hint=hint)
        return {name: self._kind(name).read(value) for name, value in given.items() if value is not None}

    def _kind(self, name: str) -> Kind:
        return SECONDS if name == _EVERY_CALL else self.parameters[name].kind

    def _map(self, params: list[Any]) -> dict[str, Any]:
        if not params:
            return {}
        if len(params) > 1 or type(params[0]) is not dict:
            found = f"{len(params)} values" if len(params) > 1 else what_is(params[0])
            raise XendError(
                "bad_request", f"parameters are one map with their names, not {found}", method=self.name
            )
        given: dict[str, Any] = params[0]
        return given

    def _check(self, name: Any, value: Any, access: str) -> None:
        if type(name) is not str:
            text = f"a parameter's name is a text, not {what_is(name)}"
            raise XendError("bad_request", text, method=self.name)
        kind, operate = SECONDS, False
        if name != _EVERY_CALL:
            if name not in self.parameters:
                raise self._unknown(name)
            kind, operate = self.parameters[name].kind, self.parameters[name].operate
        if value is not None and not kind.accepts(value):
            if shown := no_text(value):
                text = f"{name} {shown} is no UTF-8, expected {kind.name}"
                raise XendError("bad_request", text, method=self.name)
            raise XendError(
                "bad_request", f"parameter {name} is {what_is(value)}, not {kind.name}", method=self.name
            )
        if value is not None and operate and access != "operate":
            text = f"parameter {name} is not for the reading socket"
            raise XendError("not_permitted", text, method=self.name)

    def _unknown(self, name: str) -> XendError:
        known = [*self.parameters, _EVERY_CALL]
        close = _closest(name, known)
        hint = f"did you mean {close}?" if close else f"it takes {', '.join(known)}"
        return XendError("bad_request", f"no parameter {quoted(name)}", method=self.name, hint=hint)


class Methods:
    """All methods of a server."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._by_name: dict[str, Method] = {}
        for method in methods:
            assert method.name not in self._by_name, method.name
            self._by_name[method.name] = method

    def names(self, access: str) -> list[str]:
        """What may be called with this access, sorted."""
        return sorted(name for name, method in self._by_name.items() if method.is_for(access))

    def find(self, name: str, access: str) -> Method:
        """The method of that name.

        Raises:
            XendError: bad_request: there is none; not_permitted: not for this access.
        """
        method = self._by_name.get(name)
        if method is None:
            close = _closest(name, self._by_name)
            hint = f"did you mean {close}?" if close else "hello lists all methods"
            raise XendError("bad_request", f"no method {quoted(name)}", hint=hint)
        if not method.is_for(access):
            raise XendError(
                "not_permitted",
                "it changes something, and this socket only reads",
                method=name,
                hint="use socket",
            )
        return method


def _closest(word: str, known: Iterable[str]) -> str | None:
    return _compared(word, tuple(known)) if len(word) <= _WORD_MAX else None


@functools.lru_cache(maxsize=256)  # half a millisecond, and who is wrong once is wrong again
def _compared(word: str, known: tuple[str, ...]) -> str | None:
    return next(iter(difflib.get_close_matches(word, known, 1)), None)
