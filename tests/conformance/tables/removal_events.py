"""Which watches hear of a removal, and in what order.

Every node that goes tells the watches set exactly on it, children before parents, in the order of the
directory; the node named in the request comes last, and tells those above it as well.
"""

from tests.conformance.table import but, do, node, scenario
from tests.conformance.words import OK, begins, end, read, rm, start, watch, write

SCENARIOS = [
    scenario(
        "the node removed, seen from above",
        do("a", watch("/t", "tok"), OK, "a watch above", events=["/t tok"]),
        do("b", rm("/t/x"), OK, "one event for the whole subtree", others={"a": ["/t/x tok"]}),
        given=[node("/t/x/y/z"), node("/t/x/w")],
    ),
    scenario(
        "the node removed, seen from inside",
        do("a", watch("/t/x/y", "in"), OK, "a watch inside", events=["/t/x/y in"]),
        do("a", watch("/t", "out"), OK, "one above", events=["/t out"]),
        do(
            "b",
            rm("/t/x"),
            OK,
            "the inside first, with its own path",
            others={"a": ["/t/x/y in", "/t/x out"]},
            o=but("from the top down", others={"a": ["/t/x out", "/t/x/y in"]}),
        ),
        given=[node("/t/x/y/z")],
    ),
    scenario(
        "a watch on the node itself",
        do("a", watch("/t/x", "tok"), OK, "a watch", events=["/t/x tok"]),
        do("b", rm("/t/x"), OK, "one event", others={"a": ["/t/x tok"]}),
        do("b", rm("/t/x"), OK, "none for what is gone"),
        do(
            "b",
            rm("/t"),
            OK,
            "nor for its parent's removal",
            o=but("tells all watches below", others={"a": ["/t/x tok"]}),
        ),
        given=[node("/t/x")],
    ),
    scenario(
        "children before parents, in the order of the directory",
        *(
            do("a", watch(path, "tok"), OK, "a watch on each", events=[f"{path} tok"])
            for path in ("/t", "/t/b", "/t/b/y", "/t/b/x", "/t/a")
        ),
        do(
            "b",
            rm("/t"),
            OK,
            "depth first; the top one last",
            others={"a": ["/t/b/y tok", "/t/b/x tok", "/t/b tok", "/t/a tok", "/t tok"]},
            o=but(
                "from the top down, sorted",
                others={"a": ["/t tok", "/t/a tok", "/t/b tok", "/t/b/x tok", "/t/b/y tok"]},
            ),
        ),
        given=[node("/t/b/y"), node("/t/b/x"), node("/t/a")],
    ),
    scenario(
        "only nodes that exist tell",
        do(
            "a", watch("/t/x/missing", "tok"), OK, "a watch on what is not there", events=["/t/x/missing tok"]
        ),
        do(
            "b",
            rm("/t/x"),
            OK,
            "silence",
            o=but("tells all watches below", others={"a": ["/t/x/missing tok"]}),
        ),
        given=[node("/t/x/y")],
    ),
    scenario(
        "watches above the inner nodes hear nothing of those",
        do("a", watch("/t/x", "mid"), OK, "between", events=["/t/x mid"]),
        do("a", watch("/t/x/y/z", "in"), OK, "far inside", events=["/t/x/y/z in"]),
        do(
            "b",
            rm("/t"),
            OK,
            "each only of the node it is set on",
            others={"a": ["/t/x/y/z in", "/t/x mid"]},
            o=but("from the top down", others={"a": ["/t/x mid", "/t/x/y/z in"]}),
        ),
        given=[node("/t/x/y/z")],
    ),
    scenario(
        "several watches on one inner node",
        do("a", watch("/t/x", "one"), OK, "one", events=["/t/x one"]),
        do("c", watch("/t/x", "two"), OK, "another client's", events=["/t/x two"]),
        do("a", watch("/t/x", "three"), OK, "three", events=["/t/x three"]),
        do(
            "b",
            rm("/t"),
            OK,
            "each of them",
            others={"a": ["/t/x one", "/t/x three"], "c": ["/t/x two"]},
            o=but("newest first", others={"a": ["/t/x three", "/t/x one"], "c": ["/t/x two"]}),
        ),
        given=[node("/t/x")],
    ),
    scenario(
        "a domain hears only of what it could read",
        do("d3", watch("/t/open", "o"), OK, "readable", events=["/t/open o"]),
        do("d3", watch("/t/closed", "c"), OK, "not readable", events=["/t/closed c"]),
        do("d3", watch("/t/closed/in", "i"), OK, "readable inside", events=["/t/closed/in i"]),
        do(
            "a",
            rm("/t"),
            OK,
            "the rights of what goes count",
            others={"d3": ["/t/open o", "/t/closed/in i"]},
            o=but("sorted", others={"d3": ["/t/closed/in i", "/t/open o"]}),
        ),
        given=[
            node("/t"),
            node("/t/open", perms="r0"),
            node("/t/closed"),
            node("/t/closed/in", perms="r0"),
        ],
    ),
    scenario(
        "a closed child of a readable directory",
        do("d3", watch("/t/x/y", "in"), OK, "the parent's right counts", events=["/t/x/y in"]),
        do("a", rm("/t/x"), OK, "though it goes as well", others={"d3": ["/t/x/y in"]}),
        given=[node("/t"), node("/t/x", perms="r0"), node("/t/x/y", perms="n0")],
    ),
    scenario(
        "a closed child of a readable directory in a transaction",
        do("d3", watch("/t/x/y", "in"), OK, "the parent's right counts", events=["/t/x/y in"]),
        do("a", start(), begins("T"), "a transaction"),
        do("a", rm("/t/x"), OK, "removes both", tx="T"),
        do(
            "a",
            end(),
            OK,
            "here, too",
            tx="T",
            others={"d3": ["/t/x/y in"]},
            c=but("the parent is gone by then", others={}),
        ),
        given=[node("/t"), node("/t/x", perms="r0"), node("/t/x/y", perms="n0")],
    ),
    scenario(
        "in a transaction",
        do("a", watch("/t/x/y", "in"), OK, "inside", events=["/t/x/y in"]),
        do("a", watch("/t", "out"), OK, "above", events=["/t out"]),
        do("b", start(), begins("T"), "a transaction"),
        do("b", rm("/t/x"), OK, "silence", tx="T"),
        do(
            "b",
            end(),
            OK,
            "in the order of first access, which for a removal is from the top down",
            tx="T",
            others={"a": ["/t/x out", "/t/x/y in"]},
        ),
        given=[node("/t/x/y")],
    ),
    scenario(
        "a whole tree in a transaction",
        *(
            do("a", watch(path, "tok"), OK, "a watch on each", events=[f"{path} tok"])
            for path in ("/t", "/t/b", "/t/b/y", "/t/b/x", "/t/a")
        ),
        do("b", start(), begins("T"), "a transaction"),
        do("b", rm("/t"), OK, "silence", tx="T"),
        do(
            "b",
            end(),
            OK,
            "parents before children, in the order of the directory",
            tx="T",
            others={"a": ["/t tok", "/t/b tok", "/t/b/y tok", "/t/b/x tok", "/t/a tok"]},
            o=but("sorted", others={"a": ["/t tok", "/t/a tok", "/t/b tok", "/t/b/x tok", "/t/b/y tok"]}),
        ),
        given=[node("/t/b/y"), node("/t/b/x"), node("/t/a")],
    ),
    scenario(
        "what was read before the removal comes first",
        do("a", watch("/t/x/y", "in"), OK, "inside", events=["/t/x/y in"]),
        do("a", watch("/t", "out"), OK, "above", events=["/t out"]),
        do("b", start(), begins("T"), "a transaction"),
        do("b", read("/t/x/y"), b"", "reads the inner node", tx="T"),
        do("b", rm("/t/x"), OK, "removes both", tx="T"),
        do(
            "b",
            end(),
            OK,
            "order of first access",
            tx="T",
            others={"a": ["/t/x/y in", "/t/x out"]},
            o=but("from the top down", others={"a": ["/t/x out", "/t/x/y in"]}),
        ),
        given=[node("/t/x/y")],
    ),
    scenario(
        "removed and made anew in one transaction",
        do("a", watch("/t", "out"), OK, "above", events=["/t out"]),
        do("a", watch("/t/x/y", "in"), OK, "inside", events=["/t/x/y in"]),
        do("b", start(), begins("T"), "a transaction"),
        do("b", rm("/t/x"), OK, "removes a directory", tx="T"),
        do("b", write("/t/x/y", "new"), OK, "and makes its child anew", tx="T"),
        do(
            "b",
            end(),
            OK,
            "each tells once",
            tx="T",
            others={"a": ["/t/x out", "/t/x/y out", "/t/x/y in"]},
            o=but("one a request", others={"a": ["/t/x out", "/t/x/y in", "/t/x/y out", "/t/x/y in"]}),
        ),
        do("b", read("/t/x/y"), b"new", "it is there"),
        given=[node("/t/x/y", "old"), node("/t/x/z")],
    ),
    scenario(
        "directories made on the way",
        do("a", watch("/t", "tok"), OK, "a watch", events=["/t tok"]),
        do("b", start(), begins("T"), "a transaction"),
        do("b", write("/t/x/y/z", "v"), OK, "makes two directories and a node", tx="T"),
        do("b", end(), OK, "only the node tells", tx="T", others={"a": ["/t/x/y/z tok"]}),
        given=[node("/t")],
    ),
    scenario(
        "a directory made on the way and then written",
        do("a", watch("/t", "tok"), OK, "a watch", events=["/t tok"]),
        do("b", start(), begins("T"), "a transaction"),
        do("b", write("/t/x/y", "v"), OK, "makes a directory and a node", tx="T"),
        do("b", write("/t/x", "v"), OK, "writes the directory", tx="T"),
        do("b", end(), OK, "both tell", tx="T", others={"a": ["/t/x/y tok", "/t/x tok"]}),
        given=[node("/t")],
    ),
    scenario(
        "own watches inside what one removes",
        do("a", watch("/t/x", "in"), OK, "inside", events=["/t/x in"]),
        do("a", watch("/t", "on"), OK, "on it", events=["/t on"]),
        do(
            "a",
            rm("/t"),
            OK,
            "events, then OK",
            events=["/t/x in", "/t on"],
            o=but("top down", events=["/t on", "/t/x in"]),
        ),
        given=[node("/t/x")],
    ),
]
