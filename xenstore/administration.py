"""The requests about domains, features, quotas and the daemon itself.

Each takes the payload's strings and returns the reply's payload, or raises the error to answer with.
Who may send them is checked before (`_session`), except where the right depends on the arguments.
Source: xenstore-protocol.md 3 and 10; xenstored 4.22 for argument checks and their errors.
"""

from collections.abc import Callable

from xenstore import errors
from xenstore._session import Session
from xenstore.domains import DomainStore
from xenstore.limits import QUOTAS
from xenstore.wire import Feature, MessageType

#: What this store offers a guest or client, and all that SET_FEATURE may grant.  Xen's C xenstored does not
#: offer RECONNECTION, oxenstored nothing else.
FEATURES = Feature.RECONNECTION | Feature.ERROR | Feature.WATCH_DEPTH | Feature.DOMID_ANY

#: The numbers that no guest has, DOMID_SELF and those after it (DOMID_FIRST_RESERVED of public/xen.h, to
#: DOMID_MASK): whoever they mean is connected.
RESERVED_DOMIDS = range(0x7FF0, 0x8000)

OK = b"OK\0"


def answer(store: DomainStore, session: Session, type: int, payload: bytes) -> bytes | None:
    """The reply's payload to one administrative request; None: it comes later, by `Session.answer`.

    Raises:
        XenstoreError: the request is refused.
    """
    if type == MessageType.GET_FEATURE and not session.privileged and b"\0" in payload:
        raise errors.EACCES("only dom0 may ask for another domain's features")
    return _REQUESTS[type](store, session, _strings(payload))


def _strings(payload: bytes) -> list[bytes]:
    """The NUL-terminated strings of a payload; bytes after the last NUL are an error."""
    if not payload:
        return []
    if payload[-1] != 0:
        raise errors.EINVAL("the last string has no NUL")
    return payload[:-1].split(b"\0")


def _number(text: bytes, maximum: int) -> int:
    """A decimal number of 0 to maximum; an empty string is 0, as strtoul reads it."""
    if text and not text.isdigit():
        raise errors.EINVAL(f"{text!r} is not a number")
    value = int(text or b"0") if len(text) <= 20 else maximum + 1
    if value > maximum:
        raise errors.EINVAL(f"{text!r} is larger than {maximum}")
    return value


def _domid(text: bytes) -> int:
    return _number(text, 0xFFFF)


def _one_domid(strings: list[bytes]) -> int:
    if len(strings) != 1:
        raise errors.EINVAL("exactly one domid is expected")
    return _domid(strings[0])


def _introduced_guest(store: DomainStore, strings: list[bytes]) -> int:
    domid = _one_domid(strings)
    if domid == 0:
        raise errors.EINVAL("domain 0 is not a guest")
    if domid not in store.introduced:
        raise errors.ENOENT(f"domain {domid} is not introduced")
    return domid


# --- domains ------------------------------------------------------------------------------------------


def introduce(store: DomainStore, session: Session, strings: list[bytes]) -> bytes:
    if len(strings) < 3:
        raise errors.EINVAL("INTRODUCE takes a domid, a frame number and an event channel port")
    domid = _domid(strings[0])
    gfn, port = _number(strings[1], 2**64 - 1), _number(strings[2], 2**31 - 1)
    if port == 0:
        raise errors.EINVAL("event channel port 0")
    store.introduce(domid, gfn, port)
    return OK


def release(store: DomainStore, session: Session, strings: list[bytes]) -> bytes:
    store.release(_introduced_guest(store, strings))
    return OK


def resume(store: DomainStore, session: Session, strings: list[bytes]) -> bytes:
    store.resume(_introduced_guest(store, strings))
    return OK


def set_target(store: DomainStore, session: Session, strings: list[bytes]) -> bytes:
    if len(strings) < 2:
        raise errors.EINVAL("SET_TARGET takes a domid and its target's")
    domid, target = _domid(strings[0]), _domid(strings[1])
    for each in (domid, target):
        if each != 0 and each not in store.introduced:
            raise errors.ENOENT(f"domain {each} is not introduced")
    store.set_target(domid, target)
    return OK


def is_domain_introduced(store: DomainStore, session: Session, strings: list[bytes]) -> bytes:
    domid = _one_domid(strings)
    known = domid == 0 or domid in store.introduced or domid in RESERVED_DOMIDS
    return b"T\0" if known else b"F\0"


def get_domain_path(store: DomainStore, session: Session, strings: list[bytes]) -> bytes:
    return b"/local/domain/%d\0" % _one_domid(strings)


# --- features and quotas --------------------------------------------------------------------------------


def get_feature(store: DomainStore, session: Session, strings: list[bytes]) -> bytes:
    if not strings:
        return b"%d\0" % session.features
    domid = _one_domid(strings)
    known = store.introduced.get(domid)
    if known is not None:
        return b"%d\0" % known.features
    exists = store.exists(domid)
    if domid in store.features_ahead:
        return b"%d\0" % store.features_ahead[domid]
    if exists:
        return b"%d\0" % FEATURES
    raise errors.ENOENT(f"domain {domid} does not exist")


def set_feature(store: DomainStore, session: Session, strings: list[bytes]) -> bytes:
    if len(strings) != 2:
        raise errors.EINVAL("SET_FEATURE takes a domid and a mask")
    domid = _domid(strings[0])
    if domid == 0 or domid in store.introduced:
        raise errors.EBUSY(f"domain {domid} is introduced already")
    if not store.exists(domid):
        raise errors.ENOENT(f"domain {domid} does not exist")
    mask = _number(strings[1], 2**32 - 1)
    if mask & ~FEATURES:
        raise errors.EINVAL(f"features {mask:#x}: only {int(FEATURES):#x} are offered")
    store.set_features_ahead(domid, mask)
    return OK


def get_quota(store: DomainStore, session: Session, strings: list[bytes]) -> bytes:
    if len(strings) > 2:
        raise errors.EINVAL("GET_QUOTA takes at most a domid and a name")
    if not strings:
        return " ".join(quota.name for quota in QUOTAS).encode() + b"\0"
    quotas = store.quotas if len(strings) == 1 else store.domain_quotas(_domid(strings[0]))
    name = strings[-1].decode("ascii", "replace")
    if name not in quotas:
        raise errors.EINVAL(f"no quota is called {name!r}")
    return b"%d\0" % quotas[name]


def set_quota(store: DomainStore, session: Session, strings: list[bytes]) -> bytes:
    if len(strings) not in (2, 3) or not strings[-1]:
        raise errors.EINVAL("SET_QUOTA takes a name and a value, or a domid, a name and a value")
    domid = _domid(strings[0]) if len(strings) == 3 else None
    if domid is not None:
        store.hear_of(domid)  # who it is comes before what is set, as in C xenstored
    store.set_quota(strings[-2].decode("ascii", "replace"), _number(strings[-1], 2**32 - 2), domid)
    return OK


# --- the daemon -----------------------------------------------------------------------------------------


def control(store: DomainStore, session: Session, strings: list[bytes]) -> bytes | None:
    if store.control is None:
        raise errors.EINVAL("this store takes no commands")
    answer: bytes | None = store.control(session, strings)
    return answer


_REQUESTS: dict[int, Callable[[DomainStore, Session, list[bytes]], bytes | None]] = {
    MessageType.CONTROL: control,
    MessageType.INTRODUCE: introduce,
    MessageType.RELEASE: release,
    MessageType.GET_DOMAIN_PATH: get_domain_path,
    MessageType.IS_DOMAIN_INTRODUCED: is_domain_introduced,
    MessageType.RESUME: resume,
    MessageType.SET_TARGET: set_target,
    MessageType.GET_FEATURE: get_feature,
    MessageType.SET_FEATURE: set_feature,
    MessageType.GET_QUOTA: get_quota,
    MessageType.SET_QUOTA: set_quota,
}
