"""What each operation sends and what it makes of the answer, with both clients."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.xenclient.conftest import Scenario
from tests.unit.xenclient.fake_store import Asked, FakeStore
from xenclient.store import aio, blocking
from xenclient.store.errors import ProtocolError
from xenclient.store.perms import Perm
from xenstore import errors

Play = Callable[[Scenario], None]

OK = b"OK\0"
#: Method, arguments, request type, payload, the server's answer, the result.
OPERATIONS: list[tuple[str, tuple[Any, ...], str, bytes, bytes, Any]] = [
    ("directory", ("/",), "DIRECTORY", b"/\0", b"", []),
    ("directory", (b"/a",), "DIRECTORY", b"/a\0", b"b\0c\0", ["b", "c"]),
    (
        "directory_part",
        ("/a", 0),
        "DIRECTORY_PART",
        b"/a\0000\0",
        b"48\0b\0c\0\0",
        ("48", ("b", "c"), 4, True),
    ),
    ("directory_part", ("/a", 2), "DIRECTORY_PART", b"/a\0002\0", b"48\0c\0", ("48", ("c",), 4, False)),
    ("directory_part", ("/a", 9), "DIRECTORY_PART", b"/a\0009\0", b"48\0\0", ("48", (), 9, True)),
    ("read", ("/a",), "READ", b"/a\0", b"\0\xff", b"\0\xff"),
    ("read", ("rel/a",), "READ", b"rel/a\0", b"", b""),
    ("write", ("/a", "gr\u00fcn"), "WRITE", b"/a\0gr\xc3\xbcn", OK, None),
    ("write", (b"/a", b"\0\xff"), "WRITE", b"/a\0\0\xff", OK, None),
    ("write", ("/a", ""), "WRITE", b"/a\0", OK, None),
    ("mkdir", ("/a",), "MKDIR", b"/a\0", OK, None),
    ("rm", ("/a",), "RM", b"/a\0", OK, None),
    ("exists", ("/a",), "READ", b"/a\0", b"x", True),
    ("get_perms", ("/a",), "GET_PERMS", b"/a\0", b"n0\0r32757\0", (Perm("n", 0), Perm("r", 32757))),
    ("set_perms", ("/a", ["n0", Perm("b", 7)]), "SET_PERMS", b"/a\0n0\0b7\0", OK, None),
    ("introduce", (3, 9, 17), "INTRODUCE", b"3\0009\00017\0", OK, None),
    ("release", (3,), "RELEASE", b"3\0", OK, None),
    ("resume", (3,), "RESUME", b"3\0", OK, None),
    ("set_target", (3, 4), "SET_TARGET", b"3\0004\0", OK, None),
    ("is_domain_introduced", (3,), "IS_DOMAIN_INTRODUCED", b"3\0", b"T\0", True),
    ("is_domain_introduced", (3,), "IS_DOMAIN_INTRODUCED", b"3\0", b"F\0", False),
    ("get_domain_path", (3,), "GET_DOMAIN_PATH", b"3\0", b"/local/domain/3\0", "/local/domain/3"),
    ("reset_watches", (), "RESET_WATCHES", b"\0", OK, None),
    ("get_feature", (), "GET_FEATURE", b"", b"14\0", 14),
    ("get_feature", (3,), "GET_FEATURE", b"3\0", b"2\0", 2),
    ("set_feature", (3, 6), "SET_FEATURE", b"3\0006\0", OK, None),
    ("quota_names", (), "GET_QUOTA", b"", b"nodes watches path-max\0", ["nodes", "watches", "path-max"]),
    ("get_quota", ("nodes",), "GET_QUOTA", b"nodes\0", b"1000\0", 1000),
    ("get_quota", ("nodes", 3), "GET_QUOTA", b"3\0nodes\0", b"20\0", 20),
    ("set_quota", ("nodes", 20), "SET_QUOTA", b"nodes\00020\0", OK, None),
    ("set_quota", ("nodes", 20, 3), "SET_QUOTA", b"3\0nodes\00020\0", OK, None),
    ("control", ("check",), "CONTROL", b"check\0", OK, b"OK"),
    ("control", ("log", b"on"), "CONTROL", b"log\0on\0", b"", b""),
    ("control", ("live-update", "-d", "2", b"\0\1"), "CONTROL", b"live-update\0-d\0002\0\0\1\0", OK, b"OK"),
]


@pytest.mark.parametrize(("method", "arguments", "name", "payload", "answer", "result"), OPERATIONS)
def test_request_and_result(
    play: Play, method: str, arguments: tuple[Any, ...], name: str, payload: bytes, answer: bytes, result: Any
) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(lambda asked: answer)
        async with client() as c:
            assert await getattr(c, method)(*arguments) == result
        assert store.asked == [Asked(name, payload)]

    play(scenario)


TREE = [
    row
    for row in OPERATIONS
    if row[2] in {"DIRECTORY", "READ", "WRITE", "MKDIR", "RM", "GET_PERMS", "SET_PERMS"}
]


@pytest.mark.parametrize(("method", "arguments", "name", "payload", "answer", "result"), TREE)
def test_the_same_inside_a_transaction(
    play: Play, method: str, arguments: tuple[Any, ...], name: str, payload: bytes, answer: bytes, result: Any
) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(lambda asked: answer if asked.name == name else None)
        async with client() as c, c.transaction() as tx:
            assert await getattr(tx, method)(*arguments) == result
        assert store.asked == [
            Asked("TRANSACTION_START", b"\0"),
            Asked(name, payload, 1),
            Asked("TRANSACTION_END", b"T\0", 1),
        ]

    play(scenario)


@pytest.mark.parametrize("error", errors.BY_NAME.values())
def test_each_errno_is_a_class_that_names_request_and_path(
    play: Play, error: type[errors.XenstoreError]
) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(lambda asked: error.name)
        async with client() as c:
            with pytest.raises(error, match=rf"^MKDIR /a: {error.name} \(") as caught:
                await c.mkdir("/a")
        assert type(caught.value) is error

    play(scenario)


def test_exists_is_false_only_when_the_server_says_so(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c:
            assert not await c.exists("/missing")
            store.rules.append(lambda asked: "EACCES")
            with pytest.raises(errors.EACCES):
                await c.exists("/a")

    play(scenario)


def parts(listings: list[tuple[bytes, list[bytes]]], size: int) -> Callable[[Asked], bytes | str | None]:
    """Serve a directory `size` names at a time; a new generation takes over after each request."""
    served = iter(listings)
    last = listings[-1]

    def rule(asked: Asked) -> bytes | str | None:
        if asked.name == "DIRECTORY":
            return "E2BIG"
        generation, names = next(served, last)
        offset = int(asked.payload.split(b"\0")[1])
        rest = b"".join(name + b"\0" for name in names)[offset:]
        piece = rest.split(b"\0")[:-1][:size]
        answer = b"".join(name + b"\0" for name in piece)
        return generation + b"\0" + answer + (b"\0" if answer == rest else b"")

    return rule


NAMES = [f"name-{n}".encode() for n in range(7)]
OTHER = [b"first", *NAMES[3:]]
LISTINGS = [
    ([(b"1", NAMES)], NAMES, 3),
    ([(b"1", NAMES), (b"1", NAMES), (b"2", OTHER)], OTHER, 5),
    ([(b"1", NAMES), (b"2", OTHER), (b"3", NAMES), (b"4", [])], [], 5),
]


@pytest.mark.parametrize(
    ("listings", "expected", "requests"), LISTINGS, ids=["steady", "changed once", "emptied"]
)
def test_a_long_directory_is_fetched_in_parts_of_one_generation(
    play: Play, listings: list[tuple[bytes, list[bytes]]], expected: list[bytes], requests: int
) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(parts(listings, 3))
        async with client() as c:
            assert await c.directory("/big") == [name.decode() for name in expected]
        assert len(store.names("DIRECTORY_PART")) == requests

    play(scenario)


#: Answers that are none: (method, arguments, answer).
SILLY: list[tuple[str, tuple[Any, ...], bytes]] = [
    ("get_perms", ("/a",), b"x0\0"),
    ("get_feature", (), b"many\0"),
    ("get_quota", ("nodes",), b"\0"),
]


@pytest.mark.parametrize(("method", "arguments", "answer"), SILLY)
def test_an_answer_that_makes_no_sense(
    play: Play, method: str, arguments: tuple[Any, ...], answer: bytes
) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(lambda asked: answer)
        async with client() as c:
            with pytest.raises(ProtocolError):
                await getattr(c, method)(*arguments)

    play(scenario)


def test_a_directory_that_never_ends(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(lambda asked: "E2BIG" if asked.name == "DIRECTORY" else b"1\0")
        async with client() as c:
            with pytest.raises(ProtocolError, match="sent no names"):
                await c.directory("/a")

    play(scenario)


def test_names_that_are_no_text_survive(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.nodes = {b"/a/\xff": b"x"}
        async with client() as c:
            (name,) = await c.directory("/a")
            assert await c.read("/a/" + name) == b"x"

    play(scenario)


@pytest.mark.parametrize("call", [("read", "/a\0b"), ("write", b"/a\0", "x"), ("set_quota", "no\0des", 1)])
def test_a_nul_in_a_string_is_the_callers_error(play: Play, call: tuple[Any, ...]) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c:
            with pytest.raises(ValueError, match="NUL"):
                await getattr(c, call[0])(*call[1:])
        assert not store.asked

    play(scenario)


@pytest.mark.parametrize("name", ["Client", "Transaction", "Watch"])
def test_both_clients_offer_the_same(name: str) -> None:
    """Names, arguments and documentation of the operations; what only waits differs."""

    def face(cls: type) -> dict[str, tuple[str, str | None]]:
        methods = {method: getattr(cls, method) for base in cls.__mro__ for method in vars(base)}
        return {
            method: (str(inspect.signature(function)).split(" -> ")[0], function.__doc__)
            for method, function in methods.items()
            if inspect.isfunction(function) and not method.startswith("_")
        }

    theirs = face(getattr(aio, name))
    ours = face(getattr(blocking, name))
    if name == "Client":
        del ours["close"]  # the trio client lives as long as its block
    assert list(ours) == list(theirs)
    for method in ours.keys() - {"run_transaction", "transaction", "watch"}:
        assert ours[method] == theirs[method]
