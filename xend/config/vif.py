"""Network interfaces' specifications (xl-network-configuration(5)): `key=value,...`, or nothing at all."""

import re
from collections.abc import Sequence

import attrs

from xend.config.called_by_number import CalledByNumber
from xend.config.fields import Fields
from xend.config.option import closest
from xend.config.place import Place, shown
from xend.config.problem import Problem
from xend.config.settings import Settings

__all__ = ["VifConfig", "parse_vif", "settled_vifs"]

#: The same key's names.
_KEYS = {
    "mac": "mac", "bridge": "bridge", "gatewaydev": "gatewaydev", "netdev": "gatewaydev", "type": "type",
    "model": "model", "vifname": "vifname", "script": "script", "ip": "ip", "backend": "backend",
    "rate": "rate", "devid": "devid", "mtu": "mtu", "vlan": "vlan",
}  # fmt: skip
_FLAGS = {"trusted": "1", "untrusted": "0"}
_WORDS = (*(f"{key}=" for key in _KEYS), *_FLAGS)
_NOT_YET = re.compile(r"forwarddev|colo|(colo|coloft|sock|filter|redirector|compare)_[a-z0-9_]*")
_NO_COLO = "it is of COLO, a domain that is kept in step with a copy elsewhere, which this xend does not do"
_TYPES = ("vif", "netfront", "ioemu")

_MAC = re.compile(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}")
_RATE = re.compile(r"([0-9]{1,18})([GMK]?)([Bb])/s(?:@([0-9]{1,9})(ms|us|s))?")
_INTERFACE = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_.:@]*")  # what the kernel is to call it
_WORD = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_./]*")

_RATE_FORMS = (
    "a number, then perhaps G, M or K, then B/s (bytes) or b/s (bits), then perhaps @ and an interval in "
    "s, ms or us: 10MB/s@20ms"
)
_RATE_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_INTERVAL_US = {"s": 10**6, "ms": 10**3, "us": 1}
_DEFAULT_INTERVAL_US = 50_000
#: What the store holds where there is no limit.
UNLIMITED = (2**32 - 1, 0)

_INTERFACE_BYTES = 15  # IFNAMSIZ without the NUL, on NetBSD and Linux alike
_MIN_MTU, _MAX_MTU = 68, 65517  # 65535 less an Ethernet header with a VLAN's tag
_MAX_DEVID = 65535


@attrs.frozen(kw_only=True)
class VifConfig(CalledByNumber):
    """A network interface of the configuration; None: not given.

    Attributes:
        mac: lower case, six pairs with colons.
        rate: (bytes per interval, interval in microseconds).
        type: "vif" or "ioemu"; has_type: it was given.
        is_emulated: the device model of an hvm domain has an emulated card beside it.
        has_backend: the configuration says in which domain its backend is.
    """

    mac: str | None = None
    bridge: str | None = None
    gatewaydev: str | None = None
    type: str = "vif"
    has_type: bool = attrs.field(default=False, eq=False)
    is_emulated: bool = False
    model: str | None = None
    vifname: str | None = None
    script: str | None = None
    ip: str | None = None
    backend: str = "0"
    has_backend: bool = attrs.field(default=False, eq=False)
    rate: tuple[int, int] | None = None
    mtu: int | None = None
    vlan: str | None = None
    trusted: bool = True


def parse_vif(
    specification: str | Sequence[str],
    place: Place,
    *,
    directory: str | None = None,
    warnings: list[Problem] | None = None,
) -> VifConfig:
    """The interface that a specification means, one text or the words of one; what it leaves out is None.

    Args:
        directory: where relative files are; an interface names none.
        warnings: take words that are no keys, which xl passes over, too; None: they are errors.

    Raises:
        ConfigError: "PLACE: vif "...": ..., expected ..."; unsupported: what has no effect yet.
    """
    fields = Fields("vif", specification, place)
    for item in fields.text.split(","):
        _put(fields, item.strip(), warnings)
    return VifConfig(
        mac=_mac(fields),
        bridge=fields.free_text("bridge"),
        gatewaydev=fields.free_text("gatewaydev"),
        type="ioemu" if fields.choice("type", _TYPES, "vif") == "ioemu" else "vif",
        has_type=fields.get("type") is not None,
        model=_word(fields, "model"),
        vifname=_interface(fields, "vifname"),
        script=fields.script("script"),
        ip=fields.free_text("ip"),
        backend=fields.domain("backend"),
        has_backend=fields.get("backend") is not None,
        rate=_rate(fields),
        devid=fields.number("devid", 0, _MAX_DEVID),
        mtu=fields.number("mtu", _MIN_MTU, _MAX_MTU),
        vlan=fields.free_text("vlan"),
        trusted=fields.get("trusted") != "0",
    )


def settled_vifs(settings: Settings, guest_type: str, devices: Sequence[VifConfig]) -> Sequence[VifConfig]:
    """The interfaces; of an hvm domain each has an emulated card beside it, unless its type is vif."""
    if guest_type != "hvm":
        return devices
    return [attrs.evolve(each, is_emulated=not each.has_type or each.type == "ioemu") for each in devices]


def _put(fields: Fields, item: str, warnings: list[Problem] | None) -> None:
    if not item:
        return
    if item in _FLAGS:
        fields.put("trusted", _FLAGS[item])
        return
    key, value = Fields.keyed(item) or (item, None)
    if _NOT_YET.fullmatch(key):
        raise fields.unsupported(key, _NO_COLO)
    if key in _FLAGS:  # it protects: a slip is no matter of a warning
        raise fields.error(f"found {shown(item)}, expected trusted or untrusted, without a value")
    if value is None or key not in _KEYS:
        found = item if value is None else f"{key}="
        if warnings is None:
            raise fields.unknown(found, _WORDS)
        text = f"{shown(found)} has no effect: there is no such key"
        warnings.append(fields.problem(text, hint=closest(found, _WORDS)))
        return
    fields.put(_KEYS[key], value)


def _mac(fields: Fields) -> str | None:
    mac = fields.get("mac")
    if mac is None:
        return None
    if not _MAC.fullmatch(mac):
        expected = "six pairs of hexadecimal digits with colons, such as 00:16:3e:00:00:01"
        colons = mac.replace("-", ":")
        hint = f"did you mean {colons}?" if _MAC.fullmatch(colons) else "without mac= one is made up"
        raise fields.wrong("mac", expected, hint)
    pairs = [int(pair, 16) for pair in mac.split(":")]
    if pairs[0] & 1:
        raise fields.wrong("mac", "the address of one interface; an odd first pair means a multicast")
    return ":".join(f"{pair:02x}" for pair in pairs) if any(pairs) else None  # as for xl, one is made up


def _rate(fields: Fields) -> tuple[int, int] | None:
    """Bytes in each interval, and the interval in us; libxl lifts the limit where 32 bits do not hold it."""
    rate = fields.get("rate")
    if rate is None:
        return None
    match = _RATE.fullmatch(rate)
    if match is None:
        raise fields.wrong("rate", _RATE_FORMS)
    bytes_per_s = int(match[1]) * _RATE_UNITS[match[2]] // (8 if match[3] == "b" else 1)
    interval_us = int(match[4]) * _INTERVAL_US[match[5]] if match[4] else _DEFAULT_INTERVAL_US
    bytes_per_interval = bytes_per_s * interval_us // 10**6
    if not 0 < bytes_per_interval < 2**32 or interval_us >= 2**32:
        return UNLIMITED
    return bytes_per_interval, interval_us


def _interface(fields: Fields, key: str) -> str | None:
    value = fields.get(key)
    if value is not None and (len(value) > _INTERFACE_BYTES or not _INTERFACE.fullmatch(value)):
        raise fields.wrong(
            key, f"an interface's name: up to {_INTERFACE_BYTES} letters, digits and - _ . : @"
        )
    return value


def _word(fields: Fields, key: str) -> str | None:
    value = fields.get(key)
    if value is not None and not _WORD.fullmatch(value):
        raise fields.wrong(key, "letters, digits and - _ . /")
    return value
