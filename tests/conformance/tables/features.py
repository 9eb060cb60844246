"""GET_FEATURE, SET_FEATURE (Xen 4.21), GET_QUOTA and SET_QUOTA (Xen 4.22)."""

from tests.conformance.reasons import NO_FEATURES, O_EMPTY, UNKNOWN
from tests.conformance.table import do, home, scenario
from tests.conformance.words import (
    EACCES,
    EBUSY,
    EINVAL,
    ENOENT,
    ENOSPC,
    OK,
    Request,
    introduce,
    raw,
    read,
    strings,
    watch,
    write,
)
from xenstore.limits import QUOTAS
from xenstore.wire import MessageType as Type

OFFERED = "error, watch depth, DOMID_ANY"
ALL = " ".join(quota.name for quota in QUOTAS).encode("ascii") + b"\0"


def get_feature(*words: str) -> Request:
    return strings(Type.GET_FEATURE, *words)


def set_feature(domid: int | str, value: int | str) -> Request:
    return strings(Type.SET_FEATURE, str(domid), str(value))


def get_quota(*words: str) -> Request:
    return strings(Type.GET_QUOTA, *words)


def set_quota(*words: str) -> Request:
    return strings(Type.SET_QUOTA, *words)


SCENARIOS = [
    scenario(
        "older daemons",
        do("a", raw(Type.GET_FEATURE, b""), b"15\0", f"{OFFERED}: 14 of C 4.22, and reconnection", c=UNKNOWN),
        not_on={"o": O_EMPTY},
    ),
    scenario(
        "older daemons, all four types",
        do("a", get_feature("3"), b"15\0", "features of a domain", c=UNKNOWN, o=UNKNOWN),
        do("a", set_feature(3, 15), EBUSY, "it is introduced", c=UNKNOWN, o=UNKNOWN),
        do("a", get_quota("nodes"), b"1000\0", "a quota", c=UNKNOWN, o=UNKNOWN),
        do("a", set_quota("nodes", "1000"), OK, "the same", c=UNKNOWN, o=UNKNOWN),
        do("d3", read("/"), EACCES, "a domain"),
    ),
    scenario(
        "features",
        do("a", raw(Type.GET_FEATURE, b""), b"15\0", "of the daemon, for a socket"),
        do("d3", raw(Type.GET_FEATURE, b""), b"15\0", "of a domain, by itself"),
        do("a", get_feature("3"), b"15\0", "of a domain, by dom0"),
        do("a", get_feature("9"), ENOENT, "of a domain that is not there"),
        do("d3", get_feature("3"), EACCES, "a domain may not name itself"),
        do("d3", get_feature("0"), EACCES, "nor another"),
        do("a", get_feature("3", "5"), EINVAL, "not two"),
        do("a", get_feature("x"), EINVAL, "no number"),
        do("d3", set_feature(3, 2), EACCES, "a domain may not set them"),
        do("a", set_feature(3, 2), EBUSY, "nor dom0 once the domain is introduced"),
        not_on=NO_FEATURES,
    ),
    scenario(
        "features set before the introduction",
        do("a", set_feature(3, 2), OK, "no watch depth"),
        do("a", get_feature("3"), b"2\0", "as said"),
        do("a", introduce(3), OK, "the domain comes"),
        do("d3", raw(Type.GET_FEATURE, b""), b"2\0", "and sees it"),
        do("d3", watch("t", "tok", 1), EINVAL, "depths are refused"),
        do("d3", watch("t", "tok"), OK, "plain watches are not", events=["t tok"]),
        given=[home(3)],
        alive=[3],
        not_on=NO_FEATURES,
    ),
    scenario(
        "arguments of SET_FEATURE",
        do("a", strings(Type.SET_FEATURE, "3"), EINVAL, "no value"),
        do("a", strings(Type.SET_FEATURE, "3", "2", "2"), EINVAL, "two values"),
        do("a", set_feature(3, 1), OK, "reconnection alone; C 4.22 does not offer it, and says EINVAL"),
        do("a", get_feature("3"), b"1\0", "as said"),
        do("a", set_feature(3, 16), EINVAL, "an unknown bit"),
        do("a", set_feature(3, "x"), EINVAL, "no number"),
        do("a", set_feature("x", 2), EINVAL, "no domain"),
        do("a", set_feature(9, 2), ENOENT, "one that does not exist"),
        do("a", set_feature(3, 0), OK, "none at all"),
        do("a", get_feature("3"), b"0\0", "as said"),
        alive=[3],
        not_on=NO_FEATURES,
    ),
    scenario(
        "names of quotas",
        do("a", raw(Type.GET_QUOTA, b""), ALL, "all of them, in one string"),
        *(do("a", get_quota(quota.name), b"%d\0" % quota.default, "the default") for quota in QUOTAS),
        do("a", get_quota("no-such-quota"), EINVAL, "an unknown one"),
        do("a", get_quota("3", "nodes", "x"), EINVAL, "three strings"),
        not_on=NO_FEATURES,
    ),
    scenario(
        "quotas of a domain",
        do("a", get_quota("3", "nodes"), b"1000\0", "the default"),
        do("a", set_quota("3", "nodes", "2"), OK, "changed for one"),
        do("a", get_quota("3", "nodes"), b"2\0", "as said"),
        do("a", get_quota("5", "nodes"), b"1000\0", "not for the other"),
        do("a", get_quota("nodes"), b"1000\0", "nor for those to come"),
        do("d3", write("a"), OK, "a home and one"),
        do("d3", write("b"), ENOSPC, "not two"),
        do("d5", write("a"), OK, "the other"),
        do("d5", write("b"), OK, "is not bound"),
        do("a", set_quota("3", "nodes", "0"), OK, "0 is no limit"),
        do("d3", write("b"), OK, "for one"),
        do("d3", write("c"), OK, "either"),
        given=[home(3), home(5)],
        not_on=NO_FEATURES,
    ),
    scenario(
        "quotas of domains to come",
        do("a", set_quota("watches", "1"), OK, "changed"),
        do("a", get_quota("watches"), b"1\0", "as said"),
        do("a", get_quota("3", "watches"), b"128\0", "not for those that are here"),
        do("a", introduce(5), OK, "a new one"),
        do("a", get_quota("5", "watches"), b"1\0", "starts with it"),
        do("d5", watch("a", "1"), OK, "one", events=["a 1"]),
        do("d5", watch("a", "2"), ENOSPC, "not two"),
        do("d3", watch("a", "1"), OK, "the old one", events=["a 1"]),
        do("d3", watch("a", "2"), OK, "may", events=["a 2"]),
        do("a", set_quota("watches", "128"), OK, "back to the default"),
        alive=[5],
        not_on=NO_FEATURES,
    ),
    scenario(
        "arguments of SET_QUOTA",
        do("a", strings(Type.SET_QUOTA, "nodes"), EINVAL, "no value"),
        do("a", set_quota("3", "nodes", "1", "2"), EINVAL, "four strings"),
        do("a", set_quota("no-such-quota", "1"), EINVAL, "an unknown one"),
        do("a", set_quota("nodes", "x"), EINVAL, "no number"),
        do("a", set_quota("nodes", ""), EINVAL, "nothing"),
        do("a", set_quota("nodes", "-1"), EINVAL, "a negative one"),
        do("a", set_quota("nodes", "4294967295"), EINVAL, "minus one in disguise"),
        do("a", set_quota("9", "nodes", "1"), ENOENT, "of a domain that is not there"),
        do("a", get_quota("9", "nodes"), ENOENT, "nor to be asked"),
        do("a", get_quota("nodes"), b"1000\0", "nothing changed"),
        do("d3", get_quota("nodes"), EACCES, "a domain may not ask"),
        do("d3", raw(Type.GET_QUOTA, b""), EACCES, "not even for names"),
        do("d3", set_quota("3", "nodes", "5000"), EACCES, "nor set its own"),
        not_on=NO_FEATURES,
    ),
]
