"""Answers as the newest C xenstored gives them: order of checks, domains that are not introduced, commits."""

from tests.conformance.table import act, do, home, node, scenario
from tests.conformance.words import (
    CREATE,
    DIE,
    EACCES,
    EBUSY,
    EINVAL,
    ENOENT,
    ENOSPC,
    OK,
    Request,
    begins,
    control,
    end,
    introduce,
    is_introduced,
    mkdir,
    names,
    raw,
    read,
    release,
    rm,
    set_perms,
    set_target,
    start,
    strings,
    watch,
    write,
)
from xenstore.wire import MessageType as Type

ONLY_NEWEST = {"c": "4.17 answers otherwise", "o": "oxenstored answers otherwise"}
FIVE, SIX = "n3 r1 r2 r4 r5", "n3 r1 r2 r4 r5 r6"


def set_quota(*words: str) -> Request:
    return strings(Type.SET_QUOTA, *words)


def get_quota(*words: str) -> Request:
    return strings(Type.GET_QUOTA, *words)


SCENARIOS = [
    scenario(
        "numbers that no guest has",
        do("a", is_introduced(32751), b"F\0", "the last that a guest may have"),
        do("a", is_introduced(32752), b"T\0", "DOMID_SELF"),
        do("a", is_introduced(32757), b"T\0", "DOMID_ANY"),
        do("a", is_introduced(32767), b"T\0", "the last of them"),
        do("a", strings(Type.IS_DOMAIN_INTRODUCED, "65536"), EINVAL, "no number of a domain"),
        not_on=ONLY_NEWEST,
    ),
    scenario(
        "dom0 as a target",
        do("d3", read("/t"), EACCES, "a node of dom0's"),
        do("a", set_target(3, 0), OK, "to act for dom0"),
        do("d3", read("/t"), b"v", "what dom0 owns may be read"),
        do("a", set_target(0, 3), OK, "dom0 needs no rights"),
        do("a", set_target(0, 9), ENOENT, "of a domain that is not there"),
        given=[node("/t", "v")],
        not_on=ONLY_NEWEST,
    ),
    scenario(
        "the end of no transaction",
        do("a", raw(Type.TRANSACTION_END, b"x\0"), EINVAL, "what it says comes first"),
        do("a", raw(Type.TRANSACTION_END, b""), EINVAL, "whatever it is"),
        do("a", raw(Type.TRANSACTION_END, b"T"), EINVAL, "whatever it is"),
        do("a", end(), ENOENT, "then, that there is none"),
        do("a", raw(Type.TRANSACTION_END, b"x\0"), ENOENT, "a number of none comes before", tx=9),
        not_on=ONLY_NEWEST,
    ),
    scenario(
        "too many permissions come first",
        *(
            do("d3", set_perms(path, SIX), ENOSPC, why)
            for path, why in (
                ("/local/domain/3", "where they could be given"),
                ("none", "on a missing node"),
                ("none/x/y", "further below"),
                ("/u", "on a closed one"),
                ("/u/x", "below it"),
                ("@releaseDomain", "on a special one"),
                ("/u/", "on a bad path"),
                ("a b", "on another"),
            )
        ),
        *(
            do("d3", set_perms(path, FIVE), ENOSPC, f"{why}, as many as may be are too many")
            for path, why in (("none", "missing"), ("/u", "closed"), ("a b", "bad"))
        ),
        do("d3", set_perms("/local/domain/3", FIVE), OK, "where they can be given, they are not"),
        do("d3", set_perms("/local/domain/3", "n3 r1 r2 r4 zz"), ENOSPC, "nor may any be wrong"),
        do("d3", set_perms("none", "n3"), ENOENT, "few on a missing node"),
        do("d3", set_perms("/u", "n3"), EACCES, "on a closed one"),
        do("d3", set_perms("a b", "n77"), ENOENT, "an owner that is not there comes before the path"),
        given=[home(3), node("/u")],
        not_on=ONLY_NEWEST,
    ),
    scenario(
        "quotas of a domain that is not introduced",
        do("a", set_quota("5", "nodes", "50"), OK, "it exists"),
        do("a", get_quota("5", "nodes"), b"50\0", "and has it"),
        do("a", get_quota("5", "watches"), b"128\0", "beside the defaults"),
        do("a", introduce(5), OK, "it keeps it"),
        do("a", get_quota("5", "nodes"), b"50\0", "when it is introduced"),
        do("a", release(5), OK, "not when it was released"),
        do("a", get_quota("5", "nodes"), b"1000\0", "though it lives"),
        do("a", set_quota("5", "nodes", "60"), OK, "it may be given another"),
        do("a", set_quota("9", "nodes", "50"), ENOENT, "a domain that does not exist"),
        do("a", get_quota("9", "nodes"), ENOENT, "has none"),
        do("a", set_quota("9", "what", "x"), ENOENT, "whatever is wrong besides"),
        do("a", get_quota("9", "what"), ENOENT, "whatever is wrong besides"),
        do("a", set_quota("5", "what", "1"), EINVAL, "no such quota"),
        alive=[5],
        not_on=ONLY_NEWEST,
    ),
    scenario(
        "nobody inherits quotas",
        act("d5", CREATE, "a domain"),
        do("a", set_quota("5", "nodes", "50"), OK, "gets a quota"),
        do("a", strings(Type.SET_FEATURE, "5", "2"), OK, "and features"),
        act("d5", DIE, "it ends, not introduced"),
        do("a", get_quota("5", "nodes"), ENOENT, "it has none any more"),
        act("d5", CREATE, "another one"),
        do("a", get_quota("5", "nodes"), b"1000\0", "has the defaults"),
        do("a", strings(Type.GET_FEATURE, "5"), b"15\0", "of both"),
        alive=[7],
        not_on=ONLY_NEWEST,
    ),
    scenario(
        "xenstore-control quota of a domain that is not introduced",
        do("a", set_quota("5", "nodes", "50"), OK, "a domain"),
        do("a", control("quota", "9"), ENOENT, "that does not exist"),
        do("a", release(5), ENOENT, "it is not introduced"),
        alive=[5],
        not_on={
            **ONLY_NEWEST,
            "session": "commands are the daemon's",
            "bytewise": "commands are the daemon's",
        },
    ),
    scenario(
        "features in order",
        do("a", strings(Type.SET_FEATURE, "3", "99"), EBUSY, "who it is comes before what is set"),
        do("a", strings(Type.SET_FEATURE, "0", "x"), EBUSY, "for dom0, too"),
        do("a", strings(Type.SET_FEATURE, "9", "99"), ENOENT, "for nobody"),
        do("a", strings(Type.SET_FEATURE, "5", "99"), EINVAL, "features that are none"),
        do("d3", strings(Type.GET_FEATURE, "3", "5"), EACCES, "a guest may not ask, however"),
        do("d3", raw(Type.GET_FEATURE, b"3\0x"), EACCES, "it asks"),
        alive=[5],
        not_on=ONLY_NEWEST,
    ),
    scenario(
        "removed and on the way again",
        do("a", watch("/b/n", "zero", 0), OK, "the node only", events=["/b/n zero"]),
        do("a", watch("/b/n", "all"), OK, "all below", events=["/b/n all"]),
        do("a", watch("/b", "one", 1), OK, "from above", events=["/b one"]),
        do("b", start(), begins("T"), "a transaction"),
        do("b", write("/b/n/c"), OK, "makes it", tx="T"),
        do("b", rm("/b"), OK, "removes it with what is above", tx="T"),
        do("b", write("/b/n/e"), OK, "and makes it again, on the way", tx="T"),
        do(
            "b",
            end(),
            OK,
            "that it was removed is told where it is watched itself",
            tx="T",
            others={"a": ["/b one", "/b/n zero", "/b/n all", "/b/n/e all"]},
        ),
        not_on=ONLY_NEWEST,
    ),
    scenario(
        "removed, on the way again, and removed",
        do("a", watch("/b/n", "tok", 0), OK, "a watch", events=["/b/n tok"]),
        do("b", start(), begins("T"), "a transaction"),
        do("b", mkdir("/b/n/c"), OK, "makes it", tx="T"),
        do("b", rm("/b"), OK, "removes it", tx="T"),
        do("b", mkdir("/b/n/c"), OK, "makes it again", tx="T"),
        do("b", rm("/b"), OK, "and removes it", tx="T"),
        do("b", end(), OK, "nothing has happened", tx="T"),
        do("b", start(), begins("U"), "another"),
        do("b", mkdir("/b/n/c"), OK, "makes it", tx="U"),
        do("b", rm("/b/n/c"), OK, "removes what is below", tx="U"),
        do("b", end(), OK, "that is no event for it", tx="U"),
        do("b", start(), begins("V"), "a third"),
        do("b", rm("/b"), OK, "removes what was there before", tx="V"),
        do("b", mkdir("/b/n/c"), OK, "and makes it again, on the way", tx="V"),
        do("b", end(), OK, "that is one", tx="V", others={"a": ["/b/n tok"]}),
        do("b", rm("/b"), OK, "gone", others={"a": ["/b/n tok"]}),
        do("b", start(), begins("W"), "a fourth"),
        do("b", rm("/b/n"), ENOENT, "has nothing to remove", tx="W"),
        do("b", mkdir("/b/n/c"), OK, "and makes it on the way", tx="W"),
        do("b", end(), OK, "that is none", tx="W"),
        do("b", read("/b/n"), b"", "though it is there"),
        do("b", strings(Type.DIRECTORY, "/b"), names("n"), "again"),
        not_on=ONLY_NEWEST,
    ),
]
