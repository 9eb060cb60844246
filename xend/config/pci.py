"""Devices of the host that a domain is given: an item of `pci` of xl.cfg(5), or the words of pci-attach.

Syntax: libxlu_pci.c (guests.md 5.5).  `accept` is xend's own: what is refused unless it is asked for by name.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import attrs

from xend.config.fields import Fields
from xend.config.place import Place, listed
from xend.config.problem import ConfigError, Problem
from xend.config.settings import Settings
from xend.pci.address import MAX_DEVICE, Address

__all__ = [
    "ACCEPTED",
    "NO_IOMMU",
    "NO_RESET",
    "POLICIES",
    "SHARED_PAGE",
    "SWITCHES",
    "PciConfig",
    "parse_pci",
    "parse_pci_of_call",
    "refuse_cards_with_little_memory",
    "settled_pci",
    "spec_of_function",
]

NO_IOMMU, NO_RESET, SHARED_PAGE = "no-iommu", "no-reset", "shared-page"
#: What is refused unless it is asked for, and what it means.
ACCEPTED = {
    NO_IOMMU: "without an IOMMU its guest reads and writes all of the host's memory by the device",
    NO_RESET: "what its last user left in the device is there for the next one, and may go on working",
    SHARED_PAGE: "both guests reach the registers of both devices that lie in that page",
}

#: Switches of an item, and words of rdm_policy.
SWITCHES = ("permissive", "msitranslate", "power_mgmt", "seize")
_WORDS = ("bdf=", "name=", "vslot=", *(f"{each}=" for each in SWITCHES), "rdm_policy=", "accept=")
POLICIES = ("strict", "relaxed")
_MAX_NAME = 64
#: Numbers of items that are no single function, beyond all numbers of functions.
_WHOLE, _BY_NAME = 1 << 32, 1 << 33


@attrs.frozen(kw_only=True)
class PciConfig:
    """An item of the configuration: a function of the host's, or all functions of one device.

    Attributes:
        devid: what tells it from the domain's other items, by its address or its name.
        address: None: it is called by its name.
        is_whole: all functions of the device whose first one the address is.
        called: the name that it was given as it was made assignable.
        vslot: the device number under which its guest shall see it; None: the backend chooses.
        permissive: its guest may write to all of its configuration space.
        msitranslate, power_mgmt: for the backend, which has no use for them.
        seize: it is taken from dom0's driver, if it has one.
        is_strict: of memory that devices have reserved: a conflict is an error; None: not given, which means
            the same.
        accepts: those of ACCEPTED that are asked for.
    """

    devid: int | None = None
    address: Address | None = None
    is_whole: bool = False
    called: str | None = None
    vslot: int | None = None
    permissive: bool | None = None
    msitranslate: bool | None = None
    power_mgmt: bool | None = None
    seize: bool | None = None
    is_strict: bool | None = None
    accepts: Sequence[str] = ()

    @property
    def name(self) -> str:
        """What people call it: "0000:01:00.0", "0000:01:00.*", or its name."""
        if self.address is None:
            return str(self.called)
        return f"{self.address.slot}.*" if self.is_whole else str(self.address)

    @property
    def backend(self) -> str:
        """dom0, which has the host's devices."""
        return "0"

    @property
    def number_as_given(self) -> str:
        """What it is, as errors call it."""
        return f"device {self.name}"


def parse_pci(
    specification: str | Sequence[str],
    place: Place,
    *,
    directory: str | None = None,
    warnings: list[Problem] | None = None,
) -> PciConfig:
    """The item that a specification means: `[bdf=]BDF[@VSLOT][,key=value...]`, or `name=NAME[,...]`.

    Raises:
        ConfigError: bad_config.
    """
    fields = Fields("pci", specification, place)
    first, *others = fields.text.split(",")
    _put_first(fields, first.strip())
    for item in filter(None, (each.strip() for each in others)):
        key, value = Fields.keyed(item) or (item, None)
        if value is None or f"{key}=" not in _WORDS:
            raise fields.unknown(item if value is None else f"{key}=", _WORDS)
        fields.put(key, value)
    if fields.has("bdf") == fields.has("name"):
        raise fields.error("expected an address as in 0000:01:00.0, or name=NAME, and not both")
    address, is_whole = _address(fields)
    called = fields.get("name")
    if called is not None and (complaint := name_complaint(called)):
        raise fields.error(f"name {complaint}")
    policy = fields.choice("rdm_policy", POLICIES, "") or None
    return PciConfig(
        devid=_number(address, is_whole, called),
        address=address,
        is_whole=is_whole,
        called=called,
        vslot=_vslot(fields),
        **{key: fields.switch(key) for key in SWITCHES},
        is_strict=None if policy is None else policy == POLICIES[0],
        accepts=_accepted(fields),
    )


def parse_pci_of_call(specification: str | Sequence[str], method: str) -> tuple[str, PciConfig]:
    """The words of pci.attach or pci.detach as one text, in which a bare name is name=NAME, and their item.

    Raises:
        ConfigError: bad_config.
    """
    text = specification if isinstance(specification, str) else ",".join(specification)
    first = text.partition(",")[0].strip()
    if first and "=" not in first and ":" not in first and name_complaint(first) is None:
        text = f"name={text}"
    return text, parse_pci(text, Place(method, is_call=True))


def spec_of_function(item: PciConfig, address: Address) -> str:
    """The specification of one function of an item that means all of them; where its guest shall see it is
    left to the backend."""
    words = [str(address), *(f"{key}=1" for key in SWITCHES if getattr(item, key))]
    words += [f"rdm_policy={POLICIES[1]}"] if item.is_strict is False else []
    words += [f"accept={'+'.join(item.accepts)}"] if item.accepts else []
    return ",".join(words)


def _put_first(fields: Fields, item: str) -> None:
    keyed = Fields.keyed(item)
    if keyed is not None and f"{keyed[0]}=" in _WORDS:
        fields.put(*keyed)
        if keyed[0] != "bdf":
            return
        item = keyed[1]
    elif keyed is not None:
        raise fields.unknown(f"{keyed[0]}=", _WORDS)
    else:
        fields.put("bdf", item)
    address, has_slot, slot = item.partition("@")
    if has_slot:
        fields.replace("bdf", address)
        fields.put("vslot", slot)


def _address(fields: Fields) -> tuple[Address | None, bool]:
    text = fields.get("bdf")
    if text is None:
        if fields.has("bdf"):
            raise fields.error("expected an address as in 0000:01:00.0, or name=NAME")
        return None, False
    found = Address.parse_any(text)
    if found is None:
        raise fields.wrong(
            "bdf", "an address as in 0000:01:00.0 or 01:00.0, hexadecimal, or 01:00.* for all functions"
        )
    return found


def _number(address: Address | None, is_whole: bool, called: str | None) -> int:
    if address is None:
        return _BY_NAME + zlib.crc32((called or "").encode("utf-8", "surrogateescape"))
    return address.number + (_WHOLE if is_whole else 0)


def _vslot(fields: Fields) -> int | None:
    text = fields.get("vslot")
    if text is None:
        return None
    try:
        slot = int(text, 16)
    except ValueError:
        slot = -1
    if not 0 <= slot <= MAX_DEVICE or not text.isalnum():
        raise fields.wrong("vslot", f"a hexadecimal number up to {MAX_DEVICE:x}")
    return slot


def _accepted(fields: Fields) -> Sequence[str]:
    words = tuple(filter(None, (fields.get("accept") or "").split("+")))
    if any(word not in ACCEPTED for word in words):
        raise fields.wrong("accept", f"one of {listed(list(ACCEPTED), 'or')}, or several with + between")
    return words


def name_complaint(name: str) -> str | None:
    """Why a name cannot be that of a device; None: it can."""
    if not name or len(name) > _MAX_NAME or not name.isascii() or not name.isprintable():
        return f"must have 1 to {_MAX_NAME} printable ASCII characters"
    if "/" in name or "," in name:
        return "must have no / and no comma"
    return None


#: Types of domains that are given none.
_WITHOUT = "pvh"


def settled_pci(settings: Settings, guest_type: str, devices: Sequence[PciConfig]) -> Sequence[PciConfig]:
    """The items with what pci_permissive, pci_msitranslate, pci_seize, pci_power_mgmt and pci_accept say of
    all of them.

    Raises:
        ConfigError: bad_config; unsupported: domains of this type are given no devices.
    """
    said: dict[str, Any] = {key: settings.boolean(f"pci_{key}") for key in SWITCHES}
    accepts = _words(settings)
    if not devices:
        return devices
    if guest_type == _WITHOUT:
        raise settings.error(
            "pci",
            "Xen gives pvh domains no devices of the host; expected type = 'pv' or 'hvm'",
            code="unsupported",
        )
    if settings.text("passthrough") == "disabled":
        raise settings.error("passthrough", "expected another value, as pci gives it devices of the host")
    return [
        attrs.evolve(
            each,
            **{key: value for key, value in said.items() if getattr(each, key) is None},
            # libxl's JSON has the policy of machines only where it was given.
            is_strict=True if each.is_strict is None and guest_type == "pv" else each.is_strict,
            accepts=tuple(dict.fromkeys([*each.accepts, *accepts])),
        )
        for each in devices
    ]


def refuse_cards_with_little_memory(settings: Settings) -> None:
    """See that a machine that begins with less memory than it may get has no devices of the host.

    Raises:
        ConfigError: unsupported.
    """
    if settings.items("pci"):
        raise settings.error(
            "maxmem",
            "PCI devices reach all of an hvm domain's memory from the start, and Xen gives none to one that "
            "begins with less; expected what memory says, or no maxmem",
            code="unsupported",
        )


def _words(settings: Settings) -> list[str]:
    words = []
    for word, place in settings.items("pci_accept"):
        if word not in ACCEPTED:
            said = f"pci_accept holds {word!r}, expected {listed(list(ACCEPTED), 'or')}"
            raise ConfigError.at(place, said, option="pci_accept", value=word)
        words.append(word)
    return words
