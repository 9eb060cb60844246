"""What fields of a domain may hold: another xend, or a broken file system, wrote the files they are from."""

from typing import Any

from attrs import Attribute
from attrs.validators import and_, deep_iterable, deep_mapping, instance_of, max_len, min_len, optional

typed = instance_of
text_or_none = optional(instance_of(str))
map_or_none = optional(instance_of(dict))


#: Domids from here on are the hypervisor's own (xen/include/public/xen.h, DOMID_FIRST_RESERVED).
DOMID_LIMIT = 0x7FF0
#: Of what numbers are: seconds, some of them since 1970.
NUMBER_MAX = 2**40


def number(domain: object, field: "Attribute[Any]", value: Any) -> None:
    """One that a clock may show.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= NUMBER_MAX:
        raise ValueError(f"{field.name} is {value!r}, a number was expected")


def word(domain: object, field: "Attribute[Any]", value: Any) -> None:
    """A number of 64 bits: a checksum, a place in a file.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**64:
        raise ValueError(f"{field.name} is {value!r}, a number of 64 bits was expected")


def domid(domain: object, field: "Attribute[Any]", value: Any) -> None:
    """That of a guest.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < DOMID_LIMIT:
        raise ValueError(f"{field.name} is {value!r}, a guest's domid was expected")


def any_domid(domain: object, field: "Attribute[Any]", value: Any) -> None:
    """That of a guest or of dom0.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < DOMID_LIMIT:
        raise ValueError(f"{field.name} is {value!r}, a domid was expected")


count = and_(instance_of(int), number)
number_or_none = optional(number)
word_or_none = optional(word)
domid_or_none = optional(domid)
domids = deep_iterable(domid, instance_of(list))
texts = deep_iterable(instance_of(str), instance_of(list))
text_maps = deep_iterable(deep_mapping(typed(str), typed(str), typed(dict)), typed(list))
lists_of_texts = deep_mapping(instance_of(str), texts, instance_of(dict))
pair_or_none = optional(and_(instance_of(tuple), min_len(2), max_len(2), deep_iterable(count)))
