"""Virtual framebuffers: a paravirtual domain's screen, which its device model shows (guests.md 3).

Source of the keys: libxl_console.c; what stands below the backend is the guest's to read, the password too.
"""

from xend.config.number import number_of
from xend.config.vfb import VfbConfig, parse_vfb, settled_vfbs, without_password
from xend.config.vfb_json import vfb_as_json, vfb_of_json
from xend.device.device import Device
from xend.device.kind import DeviceKind
from xend.model.part import Part, Screen
from xend.settings import Settings

_LISTEN = "127.0.0.1"
_DRIVER = "vfb (of the device model)"


def vfb_device(domid: int, config: VfbConfig, settings: Settings, *, backend_domid: int = 0) -> Device:
    """The device of a configuration whose devid is known."""
    assert config.devid is not None
    listens = config.listens or (_LISTEN if config.has_vnc else None)
    optional = {"vnclisten": listens, "vncpasswd": config.vncpasswd}
    window = {"xauthority": config.xauthority, "display": config.display}
    return Device(
        kind=VFB.name,
        domid=domid,
        devid=config.devid,
        backend_domid=backend_domid,
        name=VFB.label(config.name),
        frontend={"backend-id": str(backend_domid), "state": "1"},
        backend={
            "frontend-id": str(domid),
            "online": "1",
            "state": "1",
            "vnc": str(int(config.has_vnc)),
            **{key: value for key, value in optional.items() if value is not None},
            "vncdisplay": "0" if config.is_display_of_listen else str(config.vncdisplay or 0),
            "vncunused": str(int(config.finds_unused)),
            "sdl": str(int(config.sdl or False)),
            "opengl": str(int(config.opengl or False)),
            **{key: value for key, value in window.items() if value is not None},
        },
        script=None,
    )


def screen_of_vfb(config: VfbConfig) -> Screen:
    """What a device model is told of it."""
    return Screen(
        vnc=config.has_vnc,
        vnc_listen=config.vnclisten or _LISTEN,
        vnc_display=config.vncdisplay or 0,
        vnc_finds_unused=config.finds_unused,
        vnc_password=config.vncpasswd,
        sdl=config.sdl or False,
        opengl=config.opengl,
        display=config.display,
        xauthority=config.xauthority,
        keymap=config.keymap,
    )


VFB: DeviceKind[VfbConfig] = DeviceKind(
    name="vfb",
    option="vfb",
    parse=parse_vfb,
    make=vfb_device,
    settle=settled_vfbs,
    public=without_password,
    order=3,
    verbs=(),
    devid_of=number_of,
    frontend_keys=("state", "event-channel", "page-ref"),
    backend_keys=("state", "vnc", "vnclisten", "vncdisplay", "sdl"),
    drivers={"linux": _DRIVER, "netbsd": _DRIVER},
    model_backends=("vfb",),
    model_closes=False,
    model_restates=True,
    model_part=lambda config, settings: Part(screen=screen_of_vfb(config)),
    json_key="vfbs",
    as_json=vfb_as_json,
    of_json=vfb_of_json,
)
