"""p9 and channel: what is read, and what is refused."""

from typing import Any

import pytest

from tests.unit.xend.config.conftest import complaint, config, problems
from xend.config.channel import ChannelConfig, parse_channel
from xend.config.listing import as_json
from xend.config.p9 import P9Config, parse_p9
from xend.config.place import Place

PLACE = Place("foo.cfg", 3)
NONE = "security_model=none"

DIRECTORIES: list[tuple[str | list[str], dict[str, Any]]] = [
    (f"tag=t,path=/srv,{NONE}", {"path": "/srv"}),
    (f" tag = t , path = /a=b , {NONE} ,", {"path": "/a=b"}),
    (["tag=t", "path=/srv", NONE], {"path": "/srv"}),
    (f"tag=t,path=srv,{NONE}", {"path": "/home/srv"}),
    ("tag=t,path=/srv,security_model=mapped-xattr,backend=store",
     {"path": "/srv", "security_model": "mapped-xattr", "backend": "store"}),
]  # fmt: skip


@pytest.mark.parametrize(("specification", "expected"), DIRECTORIES)
def test_directories_that_are_read(specification: str | list[str], expected: dict[str, Any]) -> None:
    read = parse_p9(specification, PLACE, directory="/home")
    assert read == P9Config(**{"tag": "t", "security_model": "none", **expected})


TAG = "1 to 64 letters, digits and . _ : @ + -, as its guest mounts it by that"
NO_DIRECTORIES = [
    ("", "it has no tag, expected tag=TAG,path=PATH,security_model=none"),
    (f"tag=t,{NONE}", "it has no path, expected tag=TAG,path=PATH,security_model=none"),
    ("tag=t,path=/", "it has no security_model, expected tag=TAG,path=PATH,security_model=none"),
    (f"tag=a/b,path=/,{NONE}", f'tag "a/b", expected {TAG}'),
    (f"tag=a b,path=/,{NONE}", f'tag "a b", expected {TAG}'),
    (f"tag={'a' * 65},path=/,{NONE}", f'tag "{"a" * 57}...", expected {TAG}'),
    (f"tag=t,path=srv,{NONE}", 'path "srv", expected the absolute path of a directory'),
    ("tag=t,path=/,security_model=x",
     'security_model "x", expected none, passthrough, mapped, mapped-xattr or mapped-file'),
    (f"tag=t,path=/,{NONE},type=xen_9pfsd",
     'found "type=", expected tag=, path=, security_model= or backend='),
    (f"tag=t,path=/,{NONE},backend=a/b", 'backend "a/b", expected a domain\'s name or domid'),
]  # fmt: skip


@pytest.mark.parametrize(("specification", "why"), NO_DIRECTORIES)
def test_directories_that_are_refused(specification: str, why: str) -> None:
    error = complaint(lambda: parse_p9(specification, PLACE))
    assert error.message.startswith('foo.cfg:3: p9 "')
    assert error.message.endswith(f'": {why}')


CHANNELS: list[tuple[str, dict[str, Any]]] = [
    ("name=a,connection=pty", {"connection": "pty"}),
    (" connection = pty , name = a ", {"connection": "pty"}),
    ("name=a,connection=socket,path=/run/x", {"connection": "socket", "path": "/run/x"}),
    ("name=a,connection=socket,path=x", {"connection": "socket", "path": "/home/x"}),
    ("name=a,connection=pty,backend=7", {"connection": "pty", "backend": "7"}),
]


@pytest.mark.parametrize(("specification", "expected"), CHANNELS)
def test_channels_that_are_read(specification: str, expected: dict[str, Any]) -> None:
    assert parse_channel(specification, PLACE, directory="/home") == ChannelConfig(name="a", **expected)


NO_CHANNELS = [
    ("connection=pty", "it has no name, expected name=NAME, by which its guest finds it"),
    ("name=a/b,connection=pty", 'name "a/b", expected 1 to 64 letters, digits and . _ : @ + -'),
    ("name=a", "it has no connection, expected connection=pty or connection=socket,path=PATH"),
    ("name=a,connection=tcp", 'connection "tcp", expected pty or socket'),
    ("name=a,connection=socket",
     "connection=socket has no path, expected path=PATH, where the socket is made"),
    ("name=a,connection=socket,path=x", 'path "x", expected an absolute path'),
    ("name=a,connection=pty,nmae=b", 'found "nmae=", expected name=, connection=, path= or backend='),
]  # fmt: skip


@pytest.mark.parametrize(("specification", "why"), NO_CHANNELS)
def test_channels_that_are_refused(specification: str, why: str) -> None:
    error = complaint(lambda: parse_channel(specification, PLACE))
    assert error.message == f'foo.cfg:3: channel "{specification}": {why}'


def test_a_path_that_no_socket_can_have() -> None:
    parse_channel(f"name=a,connection=socket,path=/{'x' * 102}", PLACE)
    error = complaint(lambda: parse_channel(f"name=a,connection=socket,path=/{'x' * 103}", PLACE))
    assert "expected at most 103 bytes, as an address of a socket has" in error.message


def test_what_a_channel_passes_over() -> None:
    said = 'foo.cfg:1: channel "name=a,connection=pty,path=/x,nmae=b": '
    read = config("channel = ['name=a,connection=pty,path=/x,nmae=b']")
    assert [(each.message, each.hint) for each in read.warnings] == [
        (f'{said}"nmae=" has no effect: there is no such key', "did you mean name=?"),
        (f"{said}path has no effect: the system chooses the name of a pty", None),
    ]  # fmt: skip


def test_numbers_of_channels_begin_at_1() -> None:
    read = config("channel = ['name=a,connection=pty', 'name=b,connection=socket,path=/x,backend=d']")
    assert [(each.devid, each.name) for each in read.of_kind("channel")] == [(1, "a"), (2, "b")]
    assert as_json(read, 1)["config"]["channels"] == [
        {"devid": 0, "name": "a", "connection.pty": {}},
        {"backend_domname": "d", "devid": 1, "name": "b", "connection.socket": {"path": "/x"}},
    ]


def test_what_two_cannot_share() -> None:
    found = problems(
        "channel = ['name=a,connection=socket,path=/x',\n 'name=a,connection=pty',\n"
        " 'name=b,connection=socket,path=/x']\n"
        f"p9 = ['tag=t,path=/a,{NONE}',\n 'tag=t,path=/b,{NONE}']"
    )
    assert [(each["line"], each["message"].partition(": ")[2].partition('": ')[2]) for each in found] == [
        (2, 'name "a" is that of an earlier channel, expected each once'),
        (3, 'path "/x" is that of an earlier channel, expected each once'),
        (5, 'tag "t" is that of an earlier p9, expected each once'),
    ]
