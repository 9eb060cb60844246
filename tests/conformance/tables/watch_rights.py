"""Who hears of a change: only who may read the node, or its parent, or could before (XSA-115)."""

from tests.conformance.table import do, home, node, scenario
from tests.conformance.words import OK, begins, end, rm, set_perms, start, watch, write

SCENARIOS = [
    scenario(
        "the initial event comes whatever the node is",
        do("a", watch("/missing/deep", "tok"), OK, "missing", events=["/missing/deep tok"]),
        do("d3", watch("/t", "tok"), OK, "not readable", events=["/t tok"]),
        do("d3", watch("/t/x", "tok"), OK, "not there and not readable", events=["/t/x tok"]),
        do("d3", watch("/", "tok"), OK, "everything", events=["/ tok"]),
        given=[node("/t")],
    ),
    scenario(
        "a domain hears only of what it may read",
        do("d3", watch("/", "tok"), OK, "it watches everything (XSA-115)", events=["/ tok"]),
        do("a", write("/t/closed"), OK, "silence about what it may not read"),
        do("a", write("/t/new"), OK, "also if it is new"),
        do("a", rm("/t/new"), OK, "or removed"),
        do("a", set_perms("/t/closed", "n0 w3"), OK, "or may only be written"),
        do("a", write("/t/open", "v"), OK, "what it may read", others={"d3": ["/t/open tok"]}),
        do("a", rm("/t/open"), OK, "it hears of", others={"d3": ["/t/open tok"]}),
        do("a", write("/local/domain/3/x"), OK, "its own, too", others={"d3": ["/local/domain/3/x tok"]}),
        given=[home(3), node("/t"), node("/t/closed"), node("/t/open", "", "r0")],
    ),
    scenario(
        "a readable parent is enough",
        do("d3", watch("/t", "tok"), OK, "a watch", events=["/t tok"]),
        do(
            "a",
            write("/t/closed", "v"),
            OK,
            "a closed node below a readable one",
            others={"d3": ["/t/closed tok"]},
        ),
        do("a", write("/t/closed/in", "v"), OK, "not what is below that"),
        do("a", rm("/t/closed"), OK, "its removal is told as well", others={"d3": ["/t/closed tok"]}),
        given=[node("/t", perms="r0"), node("/t/closed", perms="n0")],
    ),
    scenario(
        "taking the right to read away is the last event",
        do("d3", watch("/t/x", "tok"), OK, "a watch", events=["/t/x tok"]),
        do("a", write("/t/x"), OK, "readable", others={"d3": ["/t/x tok"]}),
        do("a", set_perms("/t/x", "n0"), OK, "no longer: the old right counts", others={"d3": ["/t/x tok"]}),
        do("a", write("/t/x"), OK, "silence"),
        do("a", set_perms("/t/x", "n0"), OK, "still silence"),
        do(
            "a",
            set_perms("/t/x", "n0 r3"),
            OK,
            "given again: the new right counts",
            others={"d3": ["/t/x tok"]},
        ),
        do("a", write("/t/x"), OK, "readable", others={"d3": ["/t/x tok"]}),
        given=[node("/t"), node("/t/x", perms="r0")],
    ),
    scenario(
        "rights at the time of the commit",
        do("d3", watch("/t/x", "tok"), OK, "a watch", events=["/t/x tok"]),
        do("a", start(), begins("T"), "a transaction"),
        do("a", write("/t/x"), OK, "writes", tx="T"),
        do("a", set_perms("/t/x", "n0"), OK, "takes the right away", tx="T"),
        do("a", end(), OK, "the old right counts", tx="T", others={"d3": ["/t/x tok"]}),
        do("a", write("/t/x"), OK, "silence"),
        given=[node("/t"), node("/t/x", perms="r0")],
    ),
    scenario(
        "watches of one client for another's eyes",
        do("d3", watch("/t", "x"), OK, "a domain", events=["/t x"]),
        do("a", watch("/t", "y"), OK, "and dom0", events=["/t y"]),
        do("a", write("/t/x"), OK, "only dom0 may read this", events=["/t/x y"]),
        do("a", write("/t/y"), OK, "both may read that", events=["/t/y y"], others={"d3": ["/t/y x"]}),
        given=[node("/t"), node("/t/x"), node("/t/y", perms="r0")],
    ),
]
