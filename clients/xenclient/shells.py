"""What makes a blocking and a trio client of the same code.

A method that both clients have is written once, as a coroutine, in a class that both inherit; it imports no
trio.  What it waits for in the end are methods of a link, and each client has a link of its own: those of a
blocking link return only when what they wait for is there, so a coroutine over it never suspends and runs
to its end in one step.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

    P = ParamSpec("P")
    T = TypeVar("T")
    T_co = TypeVar("T_co", covariant=True)

    class Method(Protocol[P, T_co]):
        """Returns its result where a blocking client has it; is awaited where a trio client has it."""

        @overload
        def __get__(self, instance: Blocking, owner: type, /) -> Callable[P, T_co]: ...
        @overload
        def __get__(self, instance: Awaited, owner: type, /) -> Callable[P, Coroutine[Any, Any, T_co]]: ...


class Blocking:
    """Base of a class whose methods return their results."""

    @staticmethod
    def _finish(work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine that does not suspend."""
        try:
            work.send(None)
        except StopIteration as stop:
            result: T = stop.value
            return result
        raise AssertionError("a blocking client has nothing to suspend for")


class Awaited:
    """Base of a class whose methods are awaited, in trio."""

    @staticmethod
    def _finish(work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        return work


def method(function: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> Method[P, T]:
    """The coroutine as a method of both clients."""

    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return self._finish(function(self, *args, **kwargs))

    return described(call, function)  # type: ignore[no-any-return]


def described(call: Any, function: Callable[..., object]) -> Any:
    """`call` with the name, the documentation and, for help(), the arguments of `function`."""
    call.__name__ = call.__qualname__ = function.__name__
    call.__doc__ = function.__doc__
    call.__wrapped__ = function
    return call
