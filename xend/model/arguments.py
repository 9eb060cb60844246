"""The command line of a device model, in libxl's order (guests.md 1.2), so that one looks as the other."""

import json
from collections.abc import Iterator, Mapping, Sequence

import attrs

from xend.model.image import Shown
from xend.model.machine import Machine, drive_words, hardware_words, machine_word
from xend.model.part import Part, Screen, quoted, screen_of

__all__ = ["CONSOLE_LIMIT_BYTES", "Shape", "argv_of", "environment_of"]

#: What a guest may have qemu keep of a channel that nobody reads; a variable of libxl's up to Xen 4.19.
CONSOLE_LIMIT_BYTES = 1 << 20
_LAST_DISPLAY = 99
#: What a qemu with seccomp does without: old system calls, other programs, priorities.  It has yet to become
#: another user, for which 7.2 is killed unless that is allowed; it gets no further rights by that.
_SANDBOX = "on,obsolete=deny,elevateprivileges=allow,spawn=deny,resourcecontrol=deny"
#: The QEMU from which on -run-with gives it another root, and another user; 9.0 has no -chroot any more,
#: 10.0 no -runas (QEMU's "Removed features").
_CHROOT_BY_RUN_WITH, _USER_BY_RUN_WITH = (8, 1), (9, 1)
#: The QEMU from which on it serves a paravirtual screen only where it is told that it has one.
_SCREEN_BY_VGA = (9, 1)
_PATH = "/usr/pkg/sbin:/usr/pkg/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@attrs.frozen(kw_only=True)
class Shape:
    """What a domain's device model is to be like.

    Attributes:
        machine: what it emulates of an hvm domain; None: it serves paravirtual devices alone.
        memory_mib: the domain's at most, without what its graphics card has.
        parts: what its devices want.
        version: which QEMU it is: (7, 2); (0, 0): it does not say.
        control, statistics: paths of its QMP sockets: xend's, and that of libxenstat's users.
        more, more_of_type: device_model_args, and those of the domain's type.
        root: an empty directory that it sees nothing else of once it has begun; None: the host's.
        ids: user and group that it is then; None: root.
        has_sandbox: that program can deny itself system calls.
        incoming: a descriptor of the state that it goes on with; None: it begins.
        files: descriptors of images, each with the number of its set.
        images: what it is shown for disks.
    """

    domid: int
    name: str
    memory_mib: int
    parts: Sequence[Part]
    version: tuple[int, int] = (0, 0)
    machine: Machine | None = None
    control: str
    statistics: str
    more: Sequence[str] = ()
    more_of_type: Sequence[str] = ()
    root: str | None = None
    ids: tuple[int, int] | None = None
    has_sandbox: bool = False
    incoming: int | None = None
    files: Sequence[tuple[int, int]] = ()
    images: Sequence[Shown] = ()


def argv_of(program: str, shape: Shape) -> list[str]:
    """The words that start it."""
    screen, machine = screen_of(shape.parts), shape.machine
    has_screen = screen is not None and (screen.vnc or screen.sdl)
    return [
        program,
        *("-xen-domid", str(shape.domid), "-no-shutdown"),
        *_monitor("libxl-cmd", shape.control),
        *_monitor("libxenstat-cmd", shape.statistics),
        *(word for part in shape.parts for word in part.chardevs),
        *("-nodefaults", "-no-user-config"),
        *(("-xen-attach",) if machine is None else ()),
        *("-name", quoted(shape.name)),
        *_screen(screen),
        *(() if machine is None else hardware_words(machine, shape.parts, has_screen, shape.version)),
        *(("-nographic",) if machine is None and not has_screen else ()),
        *(("-vga", "xenfb") if machine is None and screen and shape.version >= _SCREEN_BY_VGA else ()),
        *_shut_in(shape),
        *(() if shape.incoming is None else ("-incoming", f"fd:{shape.incoming}")),
        *(word for fd, number in shape.files for word in ("-add-fd", f"fd={fd},set={number}")),
        *(word for each in shape.images for node in each.nodes for word in ("-blockdev", json.dumps(node))),
        *shape.more,
        *("-machine", "xenpv" if machine is None else machine_word(machine)),
        *shape.more_of_type,
        *("-m", str(shape.memory_mib)),
        *(() if machine is None else drive_words(machine, shape.parts)),
        *_user(shape),
    ]


def environment_of(shape: Shape, store: str) -> dict[str, str]:
    """All of its environment; store: the path that leads to it."""
    variables: Mapping[str, str | None] = {}
    if (screen := screen_of(shape.parts)) is not None and screen.sdl:
        variables = {"DISPLAY": screen.display, "XAUTHORITY": screen.xauthority}
    return {
        "PATH": _PATH,
        "LC_ALL": "C.UTF-8",
        "XENSTORED_PATH": store,
        "XEN_QEMU_CONSOLE_LIMIT": str(CONSOLE_LIMIT_BYTES),
        **({} if shape.machine is None else {"XEN_DOMAIN_ID": str(shape.domid)}),
        **{name: value for name, value in variables.items() if value is not None},
    }


def _monitor(name: str, path: str) -> Sequence[str]:
    socket = f"socket,id={name},path={quoted(path)},server=on,wait=off"
    return ("-chardev", socket, "-mon", f"chardev={name},mode=control")


def _screen(screen: Screen | None) -> Iterator[str]:
    yield from ("-vnc", _vnc(screen) if screen is not None and screen.vnc else "none", "-display", "none")
    if screen is not None and screen.sdl:
        yield from ("-display", "sdl,gl=on" if screen.opengl else "sdl")
    if screen is not None and screen.keymap:
        yield from ("-k", screen.keymap)


def _vnc(screen: Screen) -> str:
    words = [f"{quoted(screen.vnc_listen)}:{screen.vnc_display}"]
    words += ["password=on"] if screen.vnc_password else []
    words += [f"to={_LAST_DISPLAY}"] if screen.vnc_finds_unused else []
    return ",".join(words)


def _shut_in(shape: Shape) -> Iterator[str]:
    if shape.has_sandbox:
        yield from ("-sandbox", _SANDBOX)
    if shape.root is not None:
        new = shape.version >= _CHROOT_BY_RUN_WITH
        yield from ("-run-with", f"chroot={quoted(shape.root)}") if new else ("-chroot", shape.root)


def _user(shape: Shape) -> Iterator[str]:
    if shape.ids is not None:
        ids = "{}:{}".format(*shape.ids)
        yield from ("-run-with", f"user={ids}") if shape.version >= _USER_BY_RUN_WITH else ("-runas", ids)
