"""The text of an xl.cfg from libxl's JSON, as `xl save` puts it into a file: the inverse of `listing`.

What comes of it is parsed as any other text, so that everything is checked where configurations are.  As with
libxl, a key that is not known, and a value of another type than its key's, count as absent.  Which device
model runs in dom0, and with which arguments, is no matter of a file that came from elsewhere.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xend.config.cpuid_names import REGISTERS
from xend.config.libxl import flag, number, text
from xend.config.machine_json import lines_of_machine
from xend.device.kinds import IN_ORDER

__all__ = ["config_of_json", "left_out", "text_of"]

#: Where libxl's words are not the options'.
_ACTIONS = {"restart_rename": "rename-restart"}
_EVENTS = ("poweroff", "reboot", "crash", "watchdog", "soft_reset")
#: Options that are the same in libxl's c_info or b_info: (option, key).
_TEXTS = (("kernel", "kernel"), ("ramdisk", "ramdisk"), ("cmdline", "cmdline"), ("bootloader", "bootloader"))
_NUMBERS = (
    ("max_grant_frames", "max_grant_frames"), ("max_maptrack_frames", "max_maptrack_frames"),
    ("max_grant_version", "max_grant_version"), ("max_event_channels", "event_channels"),
    ("vmtrace_buf_kb", "vmtrace_buf_kb"),
)  # fmt: skip
_FLAGS = (("localtime", "localtime"), ("nomigrate", "disable_migrate"), ("vpmu", "vpmu"))
_KIB_PER_MIB = 1024
#: Numbers of libxl's that mean: as it likes.
_DEFAULT = 0xFFFFFFFF

#: What runs in dom0, and how, in b_info, by the options: no matter of a file that came from elsewhere.
_IN_DOM0 = {
    "device_model": "device_model_override",
    "device_model_user": "device_model_user",
    "extra": "device_model_args",
    "extra_pv": "device_model_args_pv",
    "extra_hvm": "device_model_args_hvm",
}

Map = Mapping[str, Any]


def config_of_json(data: bytes) -> Map:
    """libxl's domain configuration of its JSON.

    Raises:
        ValueError: it is no JSON, or no map.
    """
    try:
        # libxl takes what follows the object for nothing, and the first of keys that are twice there.
        value, _ = json.JSONDecoder(object_pairs_hook=_first).raw_decode(data.decode("utf-8").lstrip())
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("no map of keys and values")
    return value


def text_of(config: Map) -> str:
    """The text of a configuration that means the same.

    Raises:
        ValueError: it is of no type, or a value cannot be said in an xl.cfg.
    """
    create, build = _map(config, "c_info"), _map(config, "b_info")
    types = [key.removeprefix("type.") for key in build if key.startswith("type.")]
    if len(types) != 1:
        raise ValueError(f"b_info has {len(types)} keys type.pv, type.pvh or type.hvm, expected one")
    type_ = types[0]
    of_type = _map(build, f"type.{type_}")
    lines: dict[str, Any] = {"type": type_}
    _create(lines, create, type_)
    _size(lines, build)
    _build(lines, build, of_type, type_)
    for kind in IN_ORDER:
        items = [kind.of_json(each) for each in _list(config, kind.json_key, dict)]
        lines[kind.option] = [item for item in items if item is not None]
    for event in _EVENTS:
        action = text(config, f"on_{event}") or "destroy"
        lines[f"on_{event}"] = _ACTIONS.get(action.lower(), action.lower().replace("_", "-"))
    return "".join(
        f"{option} = {_said(value)}\n" for option, value in lines.items() if value not in (None, [], "")
    )


def left_out(config: Map) -> list[str]:
    """The options that a configuration has, and `text_of` says nothing of."""
    build = _map(config, "b_info")
    return [option for key, option in _IN_DOM0.items() if build.get(key)]


def _create(lines: dict[str, Any], create: Map, type_: str) -> None:
    lines["name"] = text(create, "name")
    lines["uuid"] = text(create, "uuid")
    lines["pool"] = text(create, "pool_name")
    lines["seclabel"] = text(create, "ssid_label")
    lines["driver_domain"] = flag(create, "driver_domain")
    lines["xend_suspend_evtchn_compat"] = flag(create, "xend_suspend_evtchn_compat")
    passthrough = text(create, "passthrough")
    lines["passthrough"] = None if passthrough in ("unknown", "disabled") else passthrough
    if type_ != "pv":
        lines["hap"], lines["oos"] = flag(create, "hap"), flag(create, "oos")


def _size(lines: dict[str, Any], build: Map) -> None:
    most = number(build, "max_memkb") or 32768
    target = number(build, "target_memkb")
    target = most if target is None or not 0 < target <= most else target
    lines["memory"], lines["maxmem"] = -(-target // _KIB_PER_MIB), -(-most // _KIB_PER_MIB)
    vcpus = number(build, "max_vcpus") or 1
    lines["maxvcpus"] = vcpus
    lines["vcpus"] = len({each for each in _list(build, "avail_vcpus", int) if each < vcpus}) or vcpus
    for option, key in (("cpus", "vcpu_hard_affinity"), ("cpus_soft", "vcpu_soft_affinity")):
        sets = [each for each in _list(build, key, list) if _are(each, int) and each]
        lines[option] = [",".join(map(str, each)) for each in sets]
    if sets_of_all := set(lines["cpus"]) if flag(build, "numa_placement") is not False else set():
        lines["cpus"] = sets_of_all.pop() if len(sets_of_all) == 1 else lines["cpus"]


def _build(lines: dict[str, Any], build: Map, of_type: Map, type_: str) -> None:
    for option, key in _TEXTS:
        lines[option] = text(build, key) or text(of_type, key)
    lines["bootloader_args"] = _list(build, "bootloader_args", str)
    for option, key in _NUMBERS:
        found = number(build, key)
        is_said = found not in (None, _DEFAULT) and (found or option == "max_maptrack_frames")
        lines[option] = found if is_said else None
    for option, key in _FLAGS:
        lines[option] = flag(build, key)
    tsc = text(build, "tsc_mode")
    lines["tsc_mode"] = None if tsc == "default" else tsc
    offset = number(build, "rtc_timeoffset")
    lines["rtc_timeoffset"] = None if not offset else offset - (1 << 32) if offset >= 1 << 31 else offset
    lines["msr_relaxed"] = flag(_map(build, "arch_x86"), "msr_relaxed")
    lines["ioports"] = [f"{a:x}-{a + n - 1:x}" for a, n in _ranges(build, "ioports", "first")]
    lines["irqs"] = [str(each) for each in _list(build, "irqs", int)]
    lines["iomem"] = [_frames(each) for each in _list(build, "iomem", dict)]
    lines["cpuid"] = _cpuid(build)
    lines["device_model_stubdomain_seclabel"] = text(build, "device_model_ssid_label")
    if running := text(build, "exec_ssid_label"):
        lines["init_seclabel"], lines["seclabel"] = lines["seclabel"], running
    _share(lines, _map(build, "sched_params"))
    if type_ != "pv":
        lines["acpi"] = flag(build, "acpi")
    if type_ == "hvm":
        lines |= lines_of_machine(build, of_type)
    if type_ == "pv":
        lines["e820_host"] = flag(of_type, "e820_host")
    else:
        lines["pvshim"] = flag(of_type, "pvshim")
        nested = flag(build, "nested_hvm")
        lines["nestedhvm"] = flag(of_type, "nested_hvm") if nested is None else nested
        altp2m = text(build, "altp2m")
        lines["altp2m"] = None if altp2m == "disabled" else altp2m
        lines["shadow_memory"] = (number(build, "shadow_memkb") or 0) // _KIB_PER_MIB or None


def _share(lines: dict[str, Any], share: Map) -> None:
    """Of another scheduler than the host's it has no effect; libxl drops it then, too."""
    for option, key, least in (("cpu_weight", "weight", 1), ("cap", "cap", 0), ("period", "period", 1)):
        found = number(share, key)
        lines[option] = None if found is None or found < least else found
    extra = number(share, "extratime")
    lines["extratime"] = None if extra is None or extra < 0 else bool(extra)


def _cpuid(build: Map) -> list[str]:
    """In releases up to 4.17 a list, in later ones the list of a map that has one of registers beside.

    No xl.cfg can say a register's bits and a leaf's: these are lost for the domain's next life.
    """
    leaves = _list(build, "cpuid", dict) or _list(_map(build, "cpuid"), "cpuid", dict)
    lines = []
    for each in leaves:
        leaf, subleaf = number(each, "leaf"), number(each, "subleaf")
        bits = [f"{name}={found}" for name in REGISTERS if (found := text(each, name))]
        if leaf is not None and bits:
            where = f"{leaf:#x}" if subleaf is None else f"{leaf:#x},{subleaf:#x}"
            lines.append(f"{where}:{','.join(bits)}")
    return lines


def _frames(each: Map) -> str:
    start, count, gfn = (number(each, key) for key in ("start", "number", "gfn"))
    return f"{start or 0:x},{count or 0:x}" + ("" if gfn is None or gfn >= 1 << 63 else f"@{gfn:x}")


def _ranges(build: Map, key: str, first: str) -> list[tuple[int, int]]:
    found = [(number(each, first) or 0, number(each, "number") or 0) for each in _list(build, key, dict)]
    return [(start, count) for start, count in found if count > 0]


# --- values -----------------------------------------------------------------------------------------------


def _first(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


def _map(config: Map, key: str) -> Map:
    value = config.get(key)
    return value if isinstance(value, dict) else {}


def _list(config: Map, key: str, kind: type) -> list[Any]:
    value = config.get(key)
    return value if isinstance(value, list) and _are(value, kind) else []


def _are(values: Sequence[Any], kind: type) -> bool:
    return all(isinstance(each, kind) and not isinstance(each, bool) for each in values)


_SAID: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (bool, lambda value: str(int(value))),
    (int, str),
    (str, lambda value: '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'),
    (list, lambda values: "[ " + ", ".join(map(_said, values)) + " ]"),
)


def _said(value: Any) -> str:
    """As an xl.cfg says it."""
    return next(say for kind, say in _SAID if isinstance(value, kind))(value)
