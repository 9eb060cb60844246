"""Attacks that Xen security advisories describe and that no other table plays.

Every advisory about the store has a test in this folder that names it; `test_tables.py` sees to that.
"""

from tests.conformance.reasons import O_BAD_ID, O_EACCES, O_QUOTA
from tests.conformance.table import act, but, do, home, node, scenario
from tests.conformance.words import (
    CLOSED,
    DIE,
    EACCES,
    ENOENT,
    ENOSPC,
    EPERM,
    OK,
    SILENCE,
    Raw,
    begins,
    directory,
    domain_path,
    end,
    get_perms,
    introduce,
    is_introduced,
    names,
    read,
    release,
    reset_watches,
    rm,
    set_perms,
    set_target,
    start,
    uses,
    watch,
    write,
)
from tests.peers.wire import Message
from xenstore.wire import HEADER, pack
from xenstore.wire import MessageType as Type

DEEP = "/t" + "/a" * 1000

SCENARIOS = [
    scenario(
        "a misbehaving domain's death is still told",
        do("a", watch("@releaseDomain", "out"), OK, "someone watches", events=["@releaseDomain out"]),
        do("d3", watch("t", "tok"), OK, "a watch of the domain", events=["t tok"]),
        do(
            "d3",
            Raw(HEADER.pack(Type.READ, 0, 0, 5000)),
            CLOSED,
            "a message that is too long ends its service",
        ),
        do("a", is_introduced(3), b"T\0", "it is still introduced (XSA-325)"),
        do("a", write("/local/domain/3/t"), OK, "but hears nothing more"),
        act("d3", DIE, "its death is told then, and only then", others={"a": ["@releaseDomain out"]}),
        do("a", is_introduced(3), b"F\0", "it is gone"),
        given=[home(3)],
        not_on={"c": "a ring has no end to be seen", "o": "a ring has no end to be seen"},
    ),
    scenario(
        "a path of a thousand levels",
        do("a", write(DEEP, "v"), OK, "no recursion runs out (XSA-418)"),
        do("a", read(DEEP), b"v", "it is there"),
        do("a", watch(DEEP, "tok"), OK, "can be watched", events=[f"{DEEP} tok"]),
        do("a", start(), begins("T"), "and handled"),
        do("a", write(DEEP + "/b", "v"), OK, "in a transaction", tx="T"),
        do("a", end(), OK, "as well", tx="T", events=[f"{DEEP}/b tok"]),
        do("a", rm("/t"), OK, "and removed", events=[f"{DEEP} tok"]),
        do("a", read(DEEP), ENOENT, "all of it"),
        do("a", directory("/"), names("tool"), "nothing is left"),
        not_on={"o": "its limit is 1024 bytes"},
    ),
    scenario(
        "a domain's path of a thousand levels",
        do("d3", write("a/" * 900 + "a", "v"), OK, "as deep as its path may be"),
        act("d3", uses(nodes=902), "every level is a node"),
        do("d3", rm("a"), OK, "removed at once"),
        act("d3", uses(nodes=1), "and counted"),
        given=[home(3)],
        not_on={"o": "its limit is 1024 bytes"},
    ),
    scenario(
        "watches set and reset many times",
        *(
            row
            for n in range(300)
            for row in (
                do("d3", watch("t", "tok"), OK, "set", events=["t tok"]),
                do("d3", reset_watches(), OK, "reset"),
            )
        ),
        act("d3", uses(watches=0), "none is left (XSA-330)"),
        do("d3", write("t"), OK, "none tells"),
        given=[home(3)],
    ),
    scenario(
        "a transaction reset from inside",
        do("d3", start(), begins("T"), "a domain's transaction"),
        do("d3", write("t", "v"), OK, "with a change", tx="T"),
        do("d3", watch("t", "tok"), OK, "and a watch", events=["t tok"]),
        do("d3", reset_watches(), OK, "reset in the transaction (XSA-484)", tx="T"),
        do("d3", end(), ENOENT, "it is gone", tx="T", o=O_BAD_ID),
        do("d3", read("t"), ENOENT, "without a trace"),
        act("d3", uses(transactions=0, watches=0, nodes=1), "also in the counts"),
        given=[home(3)],
    ),
    scenario(
        "a domain released in the middle of its request",
        do("d3", Raw(pack(Type.WRITE, b"t\0value")[:20]), SILENCE, "half a request"),
        do("a", release(3), OK, "the domain goes (XSA-425)"),
        do("a", is_introduced(3), b"F\0", "it is gone"),
        do("a", introduce(3), OK, "and comes back"),
        do("d3", domain_path(3), b"/local/domain/3\0", "its next request is not the rest of the old one"),
    ),
    scenario(
        "a target that is released first",
        do("a", introduce(3), OK, "two"),
        do("a", introduce(5), OK, "domains"),
        do("a", set_target(3, 5), OK, "domain 3 serves domain 5"),
        do("a", release(3), OK, "3 goes"),
        do("a", release(5), OK, "then 5 (XSA-233)"),
        do("a", introduce(3), OK, "3 comes back"),
        do("d3", read("/t"), EACCES, "without the target"),
        given=[node("/t", "v", "n0 r5")],
        alive=[3, 5],
    ),
    scenario(
        "creation fails at several levels",
        do("d3", write("a/b/c/d"), ENOSPC, "four nodes where three fit (XSA-414)", o=O_QUOTA),
        do(
            "d3",
            directory("/local/domain/3"),
            b"",
            "not one of them is left",
            o=but("oxenstored leaves what it could make", b"a\0"),
        ),
        act("d3", uses(nodes=1), "nor counted"),
        do("d3", write("a/b/c"), OK, "three fit"),
        act("d3", uses(nodes=4), "and count"),
        given=[home(3)],
        quotas={"nodes": 4},
    ),
    scenario(
        "ownership as a weapon",
        do(
            "d3",
            set_perms("/local/domain/3/x", "n5"),
            EPERM,
            "a node for another's account (XSA-352)",
            o=O_EACCES,
        ),
        do("d3", set_perms("/local/domain/3/x", "n0"), EPERM, "or dom0's", o=O_EACCES),
        do("a", get_perms("/local/domain/3/x"), names("n3"), "it stays its own"),
        given=[home(3), node("/local/domain/3/x", perms="n3")],
        alive=[5],
    ),
    scenario(
        "tokens and paths of the largest size",
        do("d3", watch("t", "x" * 4000), OK, "a huge token", events=["t " + "x" * 4000]),
        do("a", write("/local/domain/3/t/" + "y" * 200), OK, "an event too long is dropped (XSA-324)"),
        do("a", write("/local/domain/3/t"), OK, "one that fits is not", others={"d3": ["t " + "x" * 4000]}),
        given=[home(3)],
        not_on={"o": "it has no such limit"},
    ),
    scenario(
        "many requests in one go",
        do(
            "a",
            Raw(b"".join(pack(Type.READ, b"/t\0", req_id=n) for n in range(500))),
            tuple(Message(Type.READ, n, 0, b"v" * 1000) for n in range(500)),
            "500 long replies to 500 short requests (XSA-416)",
        ),
        do("b", read("/t"), b"v" * 1000, "others are served"),
        given=[node("/t", b"v" * 1000)],
    ),
]
