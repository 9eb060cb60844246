"""Calls that do not fit, and exactly what is said of them."""

from typing import Any

import pytest

from xend.bus import DATA, DOMAIN, FLAG, NUMBER, OPERATION, SECONDS, TEXT, TEXTS, Method, Methods, choices
from xend.bus.methods import optional, required
from xend.errors import XendError


async def nothing(call: object, **params: object) -> None:
    """Is never called here."""


METHOD = Method(
    "domain.create",
    "operate",
    {
        "text": required(TEXT),
        "domain": optional(DOMAIN),
        "extra": optional(TEXTS),
        "paused": optional(FLAG),
        "size": optional(NUMBER),
        "data": optional(DATA),
        "timeout_s": optional(SECONDS),
        "kinds": optional(choices("vif", "vbd")),
        **OPERATION,
    },
    nothing,
)
MESSAGES = Method("host.dmesg", "read", {"clear": optional(FLAG, operate=True)}, nothing)

#: params as they came, the arguments for the function
GOOD: list[tuple[list[Any], dict[str, Any]]] = [
    ([{"text": ""}], {"text": ""}),
    ([{"text": "a", "extra": []}], {"text": "a", "extra": []}),
    ([{"text": "a", "domain": 0, "paused": False}], {"text": "a", "domain": 0, "paused": False}),
    ([{"text": "a", "domain": "guest"}], {"text": "a", "domain": "guest"}),
    ([{"text": "a", "size": 2**63 - 1, "data": b"\xff"}], {"text": "a", "size": 2**63 - 1, "data": b"\xff"}),
    ([{"text": "a", "timeout_s": 0.5, "deadline_s": 3}], {"text": "a", "timeout_s": 0.5, "deadline_s": 3}),
    ([{"text": "a", "kinds": ["vbd", "vif"]}], {"text": "a", "kinds": ["vbd", "vif"]}),
    ([{"text": "a", "key": "k", "wait_for": "accepted"}], {"text": "a", "key": "k", "wait_for": "accepted"}),
    ([{"text": "a", "size": None, "deadline_s": None}], {"text": "a"}),
]

#: params as they came, the error's one line
BAD: list[tuple[list[Any], str]] = [
    ([], "domain.create: parameter text is missing (it is a text)"),
    ([{}], "domain.create: parameter text is missing (it is a text)"),
    ([{"text": None}], "domain.create: parameter text is missing (it is a text)"),
    (["x"], 'domain.create: parameters are one map with their names, not the text "x"'),
    ([[]], "domain.create: parameters are one map with their names, not a list"),
    ([{"text": ""}, {}], "domain.create: parameters are one map with their names, not 2 values"),
    ([{"text": 7}], "domain.create: parameter text is the number 7, not a text"),
    ([{"text": b"x"}], "domain.create: parameter text is bytes (bin), not a text"),
    ([{"text": b"z\xe9\n"}], 'domain.create: text "z\\xe9\\u000a" is no UTF-8, expected a text'),
    ([{"text": "", "domain": b"z\xe9"}],
     'domain.create: domain "z\\xe9" is no UTF-8, expected a domain\'s name, domid or UUID'),
    ([{"text": "", "extra": ["a", b"\xff" * 50]}],
     'domain.create: extra "' + r"\xff" * 10 + '..." is no UTF-8, expected a list of texts'),
    ([{"text": True}], "domain.create: parameter text is true, not a text"),
    ([{"text": {}}], "domain.create: parameter text is a map, not a text"),
    ([{"text": "", "paused": 1}], "domain.create: parameter paused is the number 1, not true or false"),
    ([{"text": "", "size": True}], "domain.create: parameter size is true, not a number from 0"),
    ([{"text": "", "size": -1}], "domain.create: parameter size is the number -1, not a number from 0"),
    ([{"text": "", "size": 1.0}], "domain.create: parameter size is the number 1.0, not a number from 0"),
    ([{"text": "", "data": "x"}], 'domain.create: parameter data is the text "x", not bytes (bin)'),
    ([{"text": "", "extra": "a"}], 'domain.create: parameter extra is the text "a", not a list of texts'),
    ([{"text": "", "extra": [1]}], "domain.create: parameter extra is a list, not a list of texts"),
    ([{"text": "", "domain": -1}],
     "domain.create: parameter domain is the number -1, not a domain's name, domid or UUID"),
    ([{"text": "", "timeout_s": 0}],
     "domain.create: parameter timeout_s is the number 0, not a number of seconds above 0"),
    ([{"text": "", "deadline_s": float("inf")}],
     "domain.create: parameter deadline_s is the number inf, not a number of seconds above 0"),
    ([{"text": "", "deadline_s": float("nan")}],
     "domain.create: parameter deadline_s is the number nan, not a number of seconds above 0"),
    ([{"text": "", "kinds": ["vtpm"]}], "domain.create: parameter kinds is a list, not a list of vif, vbd"),
    ([{"text": "", "wait_for": "done"}],
     'domain.create: parameter wait_for is the text "done", not "accepted"'),
    ([{"text": "", "puased": True}], 'domain.create: no parameter "puased" (did you mean paused?)'),
    ([{"text": "", "x\ny": 1}],
     'domain.create: no parameter "x\\u000ay" (it takes text, domain, extra, paused, size, data, timeout_s, '
     "kinds, key, wait_for, deadline_s)"),
    ([{b"text": ""}], "domain.create: a parameter's name is a text, not bytes (bin)"),
]  # fmt: skip


@pytest.mark.parametrize(("params", "arguments"), GOOD)
def test_arguments(params: list[Any], arguments: dict[str, Any]) -> None:
    assert METHOD.arguments(params, "operate") == arguments


@pytest.mark.parametrize(("params", "text"), BAD)
def test_what_does_not_fit(params: list[Any], text: str) -> None:
    with pytest.raises(XendError) as raised:
        METHOD.arguments(params, "operate")
    assert raised.value.code == "bad_request"
    assert str(raised.value) == text


def test_a_parameter_may_be_for_operators_only() -> None:
    assert MESSAGES.arguments([{"clear": True}], "operate") == {"clear": True}
    assert MESSAGES.arguments([{"clear": None}], "read") == {}
    with pytest.raises(XendError) as raised:
        MESSAGES.arguments([{"clear": False}], "read")
    assert raised.value.code == "not_permitted"
    assert str(raised.value) == "host.dmesg: parameter clear is not for the reading socket"


METHODS = Methods([METHOD, MESSAGES])


@pytest.mark.parametrize(
    ("name", "access", "code", "text"),
    [
        ("domain.craete", "read", "bad_request", 'no method "domain.craete" (did you mean domain.create?)'),
        ("dmesg", "read", "bad_request", 'no method "dmesg" (did you mean host.dmesg?)'),
        ("", "operate", "bad_request", 'no method "" (hello lists all methods)'),
        ("\x1b[2J", "read", "bad_request", 'no method "\\u001b[2J" (hello lists all methods)'),
        ("x" * 10**6, "read", "bad_request", f'no method "{"x" * 40}..." (hello lists all methods)'),
        ("domain.create", "read", "not_permitted",
         "domain.create: it changes something, and this socket only reads (use socket)"),
    ],
)  # fmt: skip
def test_methods_that_may_not_be_called(name: str, access: str, code: str, text: str) -> None:
    with pytest.raises(XendError) as raised:
        METHODS.find(name, access)
    assert (raised.value.code, str(raised.value)) == (code, text)


def test_methods_by_access() -> None:
    assert METHODS.names("operate") == ["domain.create", "host.dmesg"]
    assert METHODS.names("read") == ["host.dmesg"]
    assert METHODS.find("host.dmesg", "read") is MESSAGES


def test_two_methods_of_one_name_are_a_fault() -> None:
    with pytest.raises(AssertionError):
        Methods([METHOD, METHOD])
