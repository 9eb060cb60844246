"""Messages: headers, lengths, pieces, and payloads that are not what the request needs."""

from tests.conformance.reasons import C_CRASH, C_TAIL_UNWATCH, C_TAIL_WATCH, O_EMPTY, O_LAX_END
from tests.conformance.table import act, do, node, scenario
from tests.conformance.words import (
    CLOSED,
    EINVAL,
    ENOENT,
    ENOSYS,
    HANG_UP,
    OK,
    SILENCE,
    Raw,
    begins,
    end,
    get_perms,
    names,
    raw,
    read,
    start,
    watch,
    write,
)
from tests.peers.wire import Message
from xenstore.wire import HEADER, TYPE_NAMES, pack
from xenstore.wire import MessageType as Type

PATH_REQUESTS = (Type.DIRECTORY, Type.READ, Type.GET_PERMS, Type.MKDIR, Type.RM)
DOMID_REQUESTS = (Type.RELEASE, Type.RESUME, Type.IS_DOMAIN_INTRODUCED, Type.GET_DOMAIN_PATH)


def reply(type: int, payload: bytes, req_id: int = 0, tx_id: int = 0) -> Message:
    return Message(type, req_id, tx_id, payload)


SCENARIOS = [
    scenario(
        "request ids come back",
        do("a", Raw(pack(Type.READ, b"/\0", req_id=0)), (reply(Type.READ, b""),), "zero"),
        do("a", Raw(pack(Type.READ, b"/\0", req_id=7)), (reply(Type.READ, b"", 7),), "any number"),
        do("a", Raw(pack(Type.READ, b"/\0", req_id=7)), (reply(Type.READ, b"", 7),), "the same again"),
        do(
            "a",
            Raw(pack(Type.READ, b"/\0", req_id=2**32 - 1)),
            (reply(Type.READ, b"", 2**32 - 1),),
            "the largest",
        ),
        do(
            "a",
            Raw(pack(Type.READ, b"/t\0", req_id=9)),
            (reply(Type.ERROR, b"ENOENT\0", 9),),
            "in errors, too",
        ),
        do(
            "a",
            Raw(pack(77, b"x", req_id=9)),
            (reply(Type.ERROR, b"ENOSYS\0", 9),),
            "of unknown types as well",
        ),
    ),
    scenario(
        "a header in pieces",
        do("a", Raw(pack(Type.WRITE, b"/t\0value")[:1]), SILENCE, "one byte"),
        do("b", read("/t"), ENOENT, "others are served meanwhile"),
        do("a", Raw(pack(Type.WRITE, b"/t\0value")[1:15]), SILENCE, "all but one byte"),
        do("b", read("/t"), ENOENT, "and still are"),
        do("a", Raw(pack(Type.WRITE, b"/t\0value")[15:]), (reply(Type.WRITE, OK),), "the rest"),
        do("b", read("/t"), b"value", "now it is done"),
    ),
    scenario(
        "a payload in pieces",
        do("a", Raw(pack(Type.WRITE, b"/t\0value")[:16]), SILENCE, "a header"),
        do("a", Raw(pack(Type.WRITE, b"/t\0value")[16:17]), SILENCE, "a byte of payload"),
        do("a", Raw(pack(Type.WRITE, b"/t\0value")[17:23]), SILENCE, "some more"),
        do("a", Raw(pack(Type.WRITE, b"/t\0value")[23:]), (reply(Type.WRITE, OK),), "the rest"),
        do("a", read("/t"), b"value", "now it is done"),
    ),
    scenario(
        "half a message holds up nobody else",
        do("a", Raw(pack(Type.WRITE, b"/t\0value")[:20]), SILENCE, "a header and a piece of the payload"),
        do("b", read("/t"), ENOENT, "others are served meanwhile"),
        act("a", HANG_UP, "the rest never comes"),
        do("b", read("/t"), ENOENT, "nothing was written"),
        not_on={"c": "4.17 waits for the rest of a payload and serves nobody meanwhile"},
    ),
    scenario(
        "many messages at once",
        do(
            "a",
            Raw(b"".join(pack(Type.WRITE, b"/t\0%d" % n, req_id=n) for n in range(50))),
            tuple(reply(Type.WRITE, OK, n) for n in range(50)),
            "each gets its reply, in order",
        ),
        do("b", read("/t"), b"49", "the last one wins"),
        do(
            "a",
            Raw(
                pack(Type.WRITE, b"/t\0x", req_id=1)
                + pack(Type.READ, b"/t\0", req_id=2)
                + pack(Type.READ, b"/t\0")[:5]
            ),
            (reply(Type.WRITE, OK, 1), reply(Type.READ, b"x", 2)),
            "a beginning of a third does not hold up two",
            o=None,
        ),
        not_on={
            "c": "the runner cannot ask in the middle of a message",
            "o": "the same",
            "daemon": "the same",
        },
    ),
    scenario(
        "requests are served in order",
        do(
            "a",
            Raw(
                pack(Type.WRITE, b"/t\0one", req_id=1)
                + pack(Type.READ, b"/t\0", req_id=2)
                + pack(Type.RM, b"/t\0", req_id=3)
                + pack(Type.READ, b"/t\0", req_id=4)
                + pack(Type.MKDIR, b"/t\0", req_id=5)
                + pack(Type.READ, b"/t\0", req_id=6)
            ),
            (
                reply(Type.WRITE, OK, 1),
                reply(Type.READ, b"one", 2),
                reply(Type.RM, OK, 3),
                reply(Type.ERROR, b"ENOENT\0", 4),
                reply(Type.MKDIR, OK, 5),
                reply(Type.READ, b"", 6),
            ),
            "each sees what those before it did",
        ),
    ),
    *(
        scenario(
            f"a length of {size:#x}",
            do("b", read("/"), b"", "another client"),
            do(
                "a",
                Raw(HEADER.pack(Type.READ, 0, 0, size)),
                CLOSED,
                f"{why}: the connection ends (XSA-38, XSA-420)",
            ),
            do("b", read("/"), b"", "which nobody else notices"),
            do("c", read("/"), b"", "a new connection is served"),
            not_on={"o": "oxenstored reads 4096 bytes and loses track"},
        )
        for size, why in {
            4097: "one more than a message holds",
            0x40000000: "a number that doubled is negative",
            0x7FFFFFFF: "the largest positive number",
            0x80000000: "the smallest negative one",
            0xFFFFFFFF: "minus one",
        }.items()
    ),
    scenario(
        "what was asked before a bad length is answered",
        do(
            "a",
            Raw(pack(Type.WRITE, b"/t\0v", req_id=1)),
            (reply(Type.WRITE, OK, 1),),
            "a good message",
        ),
        do("a", Raw(HEADER.pack(Type.READ, 0, 0, 5000)), CLOSED, "then a bad one"),
        do("b", read("/t"), b"v", "the good one was served"),
        not_on={"o": "oxenstored reads 4096 bytes and loses track"},
    ),
    scenario(
        "the longest message",
        do("a", raw(Type.WRITE, b"/t\0" + b"v" * 2000), OK, "a long one"),
        do("a", raw(77, b"v" * 4096), ENOSYS, "4096 bytes of payload are read whatever the type"),
        do("a", read("/t"), b"v" * 2000, "and the next message begins where it should"),
    ),
    scenario(
        "unknown types",
        *(
            do("a", raw(type, b"/\0"), ENOSYS, f"type {type}")
            for type in (15, 16, 20, 27, 28, 100, 65534, 65535)
        ),
        *(do("a", raw(type, b"/\0"), ENOSYS, f"type {type:#x}") for type in (0x100, 2**31, 2**32 - 1)),
        do("a", read("/"), b"", "the connection goes on"),
    ),
    scenario(
        "unknown types from a domain",
        *(do("d3", raw(type, b"/\0"), ENOSYS, f"type {type}") for type in (15, 16, 20, 27, 28, 100, 65535)),
    ),
    scenario(
        "no payload at all",
        *(
            do("a", raw(type, b""), EINVAL, f"{TYPE_NAMES[type]} needs one")
            for type in (*PATH_REQUESTS, Type.WRITE, Type.SET_PERMS, Type.WATCH, Type.UNWATCH)
        ),
        do("a", start(), begins("T"), "a transaction"),
        do("a", raw(Type.TRANSACTION_END, b""), EINVAL, "TRANSACTION_END needs one", tx="T"),
        do("a", end(), OK, "and leaves the transaction open", tx="T"),
        do("a", raw(77, b""), ENOSYS, "an unknown type is unknown first"),
        not_on={"c": C_CRASH, "o": O_EMPTY},
    ),
    *(
        scenario(
            f"{TYPE_NAMES[type]} wants one string",
            do("a", raw(type, b"/t"), EINVAL, "no NUL at its end"),
            do("a", raw(type, b"/t\0\0"), EINVAL, "one NUL too many"),
            do("a", raw(type, b"/t\0x"), EINVAL, "bytes after the NUL"),
            do("a", raw(type, b"/t\0x\0"), EINVAL, "a second string"),
            do("a", raw(type, b"\0"), EINVAL, "an empty string"),
            do("a", raw(type, b"\0/t"), EINVAL, "an empty string and more"),
            do("a", read("/t"), b"v", "nothing happened"),
            given=[node("/t", "v")],
            not_on={"c": C_CRASH},
        )
        for type in PATH_REQUESTS
    ),
    scenario(
        "WRITE wants a path and a NUL",
        do("a", raw(Type.WRITE, b"/t"), EINVAL, "no NUL"),
        do("a", raw(Type.WRITE, b"\0"), EINVAL, "an empty path"),
        do("a", raw(Type.WRITE, b"\0v"), EINVAL, "an empty path and a value"),
        do("a", read("/t"), ENOENT, "nothing was made"),
        do("a", raw(Type.WRITE, b"/t\0"), OK, "no value is an empty value"),
        do("a", read("/t"), b"", "as said"),
    ),
    scenario(
        "SET_PERMS wants a path and at least one entry",
        do("a", raw(Type.SET_PERMS, b"/t"), EINVAL, "no NUL"),
        do("a", raw(Type.SET_PERMS, b"/t\0"), EINVAL, "no entry"),
        do("a", raw(Type.SET_PERMS, b"/t\0n0"), EINVAL, "an entry that no NUL ends"),
        do("a", get_perms("/t"), names("r0"), "nothing changed"),
        given=[node("/t", perms="r0")],
    ),
    scenario(
        "WATCH wants a path and a token",
        do("a", raw(Type.WATCH, b"/t"), EINVAL, "no NUL"),
        do("a", raw(Type.WATCH, b"/t\0"), EINVAL, "no token"),
        do("a", raw(Type.WATCH, b"/t\0tok"), EINVAL, "a token that no NUL ends"),
        do("a", raw(Type.WATCH, b"/u\0tok\0x"), EINVAL, "bytes after it that no NUL ends", c=C_TAIL_WATCH),
        do("a", raw(Type.WATCH, b"/t\0tok\0001\0002\0"), EINVAL, "four strings"),
        do("a", write("/t", "v"), OK, "none of them watches"),
    ),
    scenario(
        "UNWATCH wants a path and a token",
        do("a", watch("/t", "tok"), OK, "a watch", events=["/t tok"]),
        do("a", raw(Type.UNWATCH, b"/t"), EINVAL, "no NUL"),
        do("a", raw(Type.UNWATCH, b"/t\0"), EINVAL, "no token"),
        do("a", raw(Type.UNWATCH, b"/t\0tok"), EINVAL, "a token that no NUL ends"),
        do(
            "a",
            raw(Type.UNWATCH, b"/t\0other\0x"),
            EINVAL,
            "bytes after it that no NUL ends",
            c=C_TAIL_UNWATCH,
        ),
        do("a", raw(Type.UNWATCH, b"/t\0tok\0x\0"), EINVAL, "three strings"),
        do("a", write("/t", "v"), OK, "the watch is still there", events=["/t tok"]),
    ),
    scenario(
        "TRANSACTION_END wants T or F",
        do("a", start(), begins("T"), "a transaction"),
        do("a", write("/t", "v"), OK, "with a change", tx="T"),
        do("a", raw(Type.TRANSACTION_END, b"X\0"), EINVAL, "another letter", tx="T"),
        do("a", raw(Type.TRANSACTION_END, b"t\0"), EINVAL, "a small one", tx="T"),
        do("a", raw(Type.TRANSACTION_END, b"\0"), EINVAL, "an empty string", tx="T"),
        do("a", raw(Type.TRANSACTION_END, b"TT\0"), EINVAL, "two letters", tx="T"),
        do("a", raw(Type.TRANSACTION_END, b"TRUE\0"), EINVAL, "a word", tx="T"),
        do("a", read("/t"), b"v", "the transaction stays open", tx="T"),
        do("a", end(), OK, "and can be ended properly", tx="T"),
        do("a", read("/t"), b"v", "which commits it"),
    ),
    scenario(
        "TRANSACTION_END wants exactly one string",
        do("a", start(), begins("T"), "a transaction"),
        do("a", raw(Type.TRANSACTION_END, b"T"), EINVAL, "no NUL", tx="T", o=O_LAX_END),
        do("a", start(), begins("U"), "another"),
        do("a", raw(Type.TRANSACTION_END, b"T\0T\0"), EINVAL, "two strings", tx="U", o=O_LAX_END),
    ),
    scenario(
        "TRANSACTION_START ignores its payload",
        do("a", raw(Type.TRANSACTION_START, b""), begins("A"), "none"),
        do("a", raw(Type.TRANSACTION_START, b"\0"), begins("B"), "the NUL that clients send"),
        do("a", raw(Type.TRANSACTION_START, b"anything"), begins("C"), "anything"),
        do("a", raw(Type.TRANSACTION_START, b"\0\0\0"), begins("D"), "at all"),
        not_on={"o": O_EMPTY},
    ),
    scenario(
        "RESET_WATCHES ignores its payload",
        do("a", raw(Type.RESET_WATCHES, b""), OK, "none"),
        do("a", raw(Type.RESET_WATCHES, b"\0"), OK, "the NUL that clients send"),
        do("a", raw(Type.RESET_WATCHES, b"anything"), OK, "anything"),
        not_on={"o": O_EMPTY},
    ),
    *(
        scenario(
            f"{TYPE_NAMES[type]} wants one number",
            do("a", raw(type, b"1"), EINVAL, "no NUL"),
            do("a", raw(type, b"1\0001\0"), EINVAL, "two strings"),
            do("a", raw(type, b"1\0x"), EINVAL, "bytes after the NUL"),
            do("a", raw(type, b"x\0"), EINVAL, "no number"),
            do("a", raw(type, b"-1\0"), EINVAL, "a negative one"),
            do("a", raw(type, b"1x\0"), EINVAL, "a number and more"),
            do("a", raw(type, b"65536\0"), EINVAL, "more than 16 bits"),
            do("a", raw(type, b"4294967296\0"), EINVAL, "more than 32 bits"),
            do("a", raw(type, b"99999999999999999999\0"), EINVAL, "more than 64 bits"),
            not_on={"c": "4.17 parses with atoi", "o": "parses in its own way"},
        )
        for type in DOMID_REQUESTS
    ),
]
