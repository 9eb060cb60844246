"""What walks choose from: few names, so that requests meet.

`choose` picks one of a sequence; hypothesis and random.Random both can.
"""

from collections.abc import Callable, Sequence
from typing import Any

from xenstore.wire import MessageType

Choose = Callable[[Sequence[Any]], Any]
Asked = tuple[int, bytes]

PATHS = [
    *[b"/", b"/a", b"/a/b", b"/a/b/c", b"/a/c", b"/b", b"/b/a", b"/tool", b"/local/domain"],
    *[b"/local/domain/1", b"/local/domain/1/a", b"/local/domain/1/a/b", b"/local/domain/1/c"],
    *[b"/local/domain/2", b"/local/domain/2/a", b"/local/domain/3/a", b"/local/domain/0/a"],
    *[b"a", b"a/b", b"a/b/c", b"c", b"long_name_of_a_node"],
]
SPECIAL_PATHS = [
    *[b"@introduceDomain", b"@releaseDomain", b"@introduceDomain/1", b"@releaseDomain/2"],
    *[b"@releaseDomain/1/x", b"@foo"],
]
BAD_PATHS = [b"", b"//", b"/a/", b"/a//b", b"/a b", b"a.", b"/local/domain/"]
PERMS = [
    *[b"n0", b"r0", b"w0", b"b0", b"n1", b"r1", b"b1", b"w1", b"n2", b"r2", b"b2", b"n3", b"b3"],
    *[b"r7", b"b7", b"r32757", b"b32757", b"n32757"],
]
BAD_PERMS = [b"", b"n", b"x1", b"r-1", b"r70000", b"1"]
TOKENS = [b"t", b"u", b""]
DEPTHS: list[tuple[bytes, ...]] = [(), (), (), (b"0",), (b"1",), (b"2",), (b"x",), (b"",)]
VALUES = [b"", b"1", b"2", b"with\0nul", b"v" * 40]
DOMIDS = [1, 2, 3]

ANY_PATH = PATHS * 8 + SPECIAL_PATHS + BAD_PATHS
WATCH_PATHS = PATHS * 3 + SPECIAL_PATHS * 5 + BAD_PATHS
DOMID_STRINGS = [b"1", b"2", b"3"] * 5 + [b"0", b"4", b"", b"x", b"65535"]
QUOTA_NAMES = [b"nodes", b"watches", b"node-size", b"path-max", b"nonsense"]
QUOTA_VALUES = [b"0", b"1", b"3", b"60", b"x", b""]
END_PAYLOADS = [b"T\0"] * 12 + [b"F\0", b"F\0", b"T", b"x\0", b""]
START_PAYLOADS = [b"\0", b"\0", b"", b"anything"]
UNKNOWN_TYPES = [15, 16, 20, 27, 1000, 65535]

NODE_TYPES = [
    *[MessageType.WRITE] * 6,
    *[MessageType.MKDIR, MessageType.RM, MessageType.SET_PERMS, MessageType.READ, MessageType.DIRECTORY] * 2,
    *[MessageType.GET_PERMS, MessageType.DIRECTORY_PART],
]
ADMINISTRATIVE_TYPES = [
    *[MessageType.INTRODUCE] * 4,
    *[MessageType.RELEASE, MessageType.SET_TARGET, MessageType.SET_QUOTA, MessageType.SET_FEATURE],
    *[MessageType.GET_QUOTA, MessageType.GET_FEATURE, MessageType.RESUME, MessageType.GET_DOMAIN_PATH],
    *[MessageType.IS_DOMAIN_INTRODUCED, MessageType.CONTROL],
]

#: The real quotas, and some so small that a few requests reach them.
QUOTAS: list[dict[str, int]] = [
    {},
    {"nodes": 4, "watches": 2, "transactions": 1, "transaction-nodes": 3},
    {"nodes": 8, "node-permissions": 2, "node-size": 60, "path-max": 6},
    {"nodes": 0, "watches": 0, "transactions": 0, "node-permissions": 0, "node-size": 0, "path-max": 0},
]


def strings(*texts: bytes) -> bytes:
    return b"".join(text + b"\0" for text in texts)


def damaged(choose: Choose, payload: bytes) -> bytes:
    """The payload, now and then without its last byte or with one more."""
    result: bytes = choose([payload] * 18 + [payload[:-1], payload + b"\0"])
    return result


def node_request(choose: Choose) -> Asked:
    """(type, payload) of a request about a node, mostly well formed."""
    type, path = choose(NODE_TYPES), choose(ANY_PATH)
    match type:
        case MessageType.WRITE:
            payload = path + b"\0" + choose(VALUES)
        case MessageType.SET_PERMS:
            pool = choose([PERMS, PERMS, PERMS, PERMS + BAD_PERMS])
            payload = strings(path, *(choose(pool) for _ in range(choose([1, 1, 2, 2, 3, 4, 5, 0]))))
        case MessageType.DIRECTORY_PART:
            payload = strings(path, choose([b"0", b"2", b"99", b"", b"x"]))
        case _:
            payload = strings(path)
    return type, damaged(choose, payload)


def administrative_request(choose: Choose) -> Asked:
    """(type, payload) of a request about domains, features or quotas."""
    type, domid = choose(ADMINISTRATIVE_TYPES), choose(DOMID_STRINGS)
    match type:
        case MessageType.INTRODUCE:
            payload = strings(domid, b"1", choose([b"9", b"9", b"9", b"0"]))
        case MessageType.SET_TARGET:
            payload = strings(domid, choose(DOMID_STRINGS))
        case MessageType.SET_FEATURE:
            payload = strings(domid, choose([b"0", b"4", b"8", b"14", b"1"]))
        case MessageType.GET_QUOTA:
            name = choose(QUOTA_NAMES)
            payload = choose([b"", strings(name), strings(domid, name)])
        case MessageType.SET_QUOTA:
            name, value = choose(QUOTA_NAMES), choose(QUOTA_VALUES)
            payload = choose([strings(name, value), strings(domid, name, value)])
        case MessageType.GET_FEATURE:
            payload = choose([b"", strings(domid)])
        case _:
            payload = strings(domid)
    return type, damaged(choose, payload)
