"""What tasks raise together: a nursery hands on a group, which no `except` of its members' classes matches.

`make lint` finds every `except` that stands above a nursery and cannot match (contrib/nurseries.py); here is
what it asks for instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager


def first_error(error: BaseException) -> BaseException:
    """An error itself, or the first of those that tasks raised together."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@contextmanager
def alone(*kinds: type[Exception]) -> Iterator[None]:
    """Around a nursery: what it raises comes out as itself, where all of it is of these kinds.

    The first of several does; a group with anything else in it stays as it is.
    """
    error = None
    try:
        yield
    except BaseExceptionGroup as group:
        _, others = group.split(kinds)
        if others is not None:
            raise
        error = first_error(group)
    if error is not None:
        raise error
