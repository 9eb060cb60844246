"""Channels: further consoles with names, for programs in the guest; items of `channel` of xl.cfg(5).

Source: tools/xl/xl_parse.c and libxl_console.c of Xen 4.17 and 4.18.
"""

import os.path
import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from xend.config.fields import Fields
from xend.config.libxl import backend, backend_of, item, text
from xend.config.place import Place, bytes_of
from xend.config.problem import Problem
from xend.config.settings import Settings

__all__ = [
    "FIRST",
    "PTY",
    "SOCKET",
    "ChannelConfig",
    "channel_as_json",
    "channel_of_json",
    "parse_channel",
    "settled_channels",
]

PTY, SOCKET = "pty", "socket"
#: The number of the first one: 0 is the domain's own console.
FIRST = 1
_KEYS = ("name", "connection", "path", "backend")
_NAME = re.compile(r"[A-Za-z0-9._:@+-]{1,64}")
#: What an address of a Unix socket holds on NetBSD, without the NUL; Linux has four bytes more.
_MAX_PATH_BYTES = 103


@attrs.frozen(kw_only=True)
class ChannelConfig:
    """A channel of the configuration.

    Attributes:
        devid: its number; None: not chosen yet.
        name: what its guest finds it by.
        connection: PTY or SOCKET.
        path: of the socket that qemu makes, absolute; None: it is a pty.
    """

    devid: int | None = None
    name: str
    connection: str
    path: str | None = None
    backend: str = "0"

    @property
    def number_as_given(self) -> str:
        """What it is, as errors call it."""
        return f"number {self.devid}"


def parse_channel(
    specification: str | Sequence[str],
    place: Place,
    *,
    directory: str | None = None,
    warnings: list[Problem] | None = None,
) -> ChannelConfig:
    """The channel that a specification means: `name=NAME,connection=pty`, or `...,connection=socket,path=P`;
    xl passes over other keys.

    Raises:
        ConfigError: bad_config.
    """
    fields = Fields("channel", specification, place)
    fields.fill(_KEYS, warnings)
    name, connection = fields.get("name"), fields.get("connection")
    if name is None:
        raise fields.error("it has no name, expected name=NAME, by which its guest finds it")
    if not _NAME.fullmatch(name):
        raise fields.wrong("name", "1 to 64 letters, digits and . _ : @ + -")
    if connection is None:
        raise fields.error("it has no connection, expected connection=pty or connection=socket,path=PATH")
    connection = fields.choice("connection", (PTY, SOCKET), PTY)
    path = None
    if connection == SOCKET:
        path = _socket(fields, directory)
    elif fields.has("path") and warnings is not None:
        warnings.append(fields.problem("path has no effect: the system chooses the name of a pty"))
    return ChannelConfig(
        name=name,
        connection=connection,
        path=path,
        backend=fields.domain("backend"),
    )


def _socket(fields: Fields, directory: str | None) -> str:
    path = fields.get("path")
    if path is None:
        raise fields.error("connection=socket has no path, expected path=PATH, where the socket is made")
    if not path.startswith("/"):
        if directory is None:
            raise fields.wrong("path", "an absolute path")
        path = os.path.join(directory, path)
    if len(bytes_of(path)) > _MAX_PATH_BYTES:
        raise fields.wrong("path", f"at most {_MAX_PATH_BYTES} bytes, as an address of a socket has")
    return path


def settled_channels(
    settings: Settings, guest_type: str, devices: Sequence[ChannelConfig]
) -> Sequence[ChannelConfig]:
    """The channels, numbered from FIRST."""
    return [attrs.evolve(each, devid=number) for number, each in enumerate(devices, FIRST)]


def channel_as_json(channel: ChannelConfig) -> dict[str, Any]:
    """As libxl's JSON has it (libxl_device_channel); xl 4.17 counts them from 0 there, and makes none of the
    first one."""
    assert channel.devid is not None
    path = {} if channel.path is None else {"path": channel.path}
    return {
        **backend(channel.backend),
        "devid": channel.devid - FIRST,
        "name": channel.name,
        f"connection.{channel.connection}": path,
    }


def channel_of_json(json: Mapping[str, Any]) -> str:
    """The inverse: the text of an item."""
    socket = json.get(f"connection.{SOCKET}")
    path = text(socket, "path") if isinstance(socket, dict) else None
    connection = PTY if path is None else SOCKET
    return item(name=text(json, "name"), connection=connection, path=path, backend=backend_of(json))
