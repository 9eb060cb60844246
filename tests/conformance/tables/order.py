"""The order of a directory: that of creation, on which toolstacks rely (next device = last listed + 1)."""

from tests.conformance.reasons import O_UNORDERED
from tests.conformance.table import but, do, node, scenario
from tests.conformance.words import OK, begins, directory, end, mkdir, names, rm, set_perms, start, write

SCENARIOS = [
    scenario(
        "creation order",
        do("a", write("/t/z"), OK, "the first"),
        do("a", write("/t/a"), OK, "the second"),
        do("a", write("/t/m"), OK, "the third"),
        do("a", directory("/t"), names("z", "a", "m"), "is how they are listed"),
        do("a", write("/t/z", "again"), OK, "writing an old one"),
        do("a", mkdir("/t/a"), OK, "or making it again"),
        do("a", set_perms("/t/z", "r0"), OK, "or changing its permissions"),
        do("a", directory("/t"), names("z", "a", "m"), "moves nothing"),
        do("a", rm("/t/a"), OK, "removing one"),
        do("a", directory("/t"), names("z", "m"), "closes the gap"),
        do("a", write("/t/a"), OK, "making it anew"),
        do("a", directory("/t"), names("z", "m", "a"), "puts it last"),
        not_on=O_UNORDERED,
    ),
    scenario(
        "numbers are names",
        *(do("a", write(f"/t/{n}"), OK, "in numerical order") for n in range(12)),
        do("a", directory("/t"), names(*map(str, range(12))), "10 comes after 9, not after 1"),
        not_on=O_UNORDERED,
    ),
    scenario(
        "many children",
        *(
            do("a", write(f"/t/child{n * 7919 % 300}"), OK, "in an order that no sorting gives")
            for n in range(300)
        ),
        do(
            "a", directory("/t"), names(*(f"child{n * 7919 % 300}" for n in range(300))), "all in their order"
        ),
        *(do("a", rm(f"/t/child{n}"), OK, "every other one goes") for n in range(0, 300, 2)),
        do(
            "a",
            directory("/t"),
            names(*(f"child{n * 7919 % 300}" for n in range(300) if n * 7919 % 300 % 2)),
            "the others keep theirs",
        ),
        not_on=O_UNORDERED,
    ),
    scenario(
        "order inside a transaction and after it",
        do("a", start(), begins("T"), "a transaction"),
        do("a", write("/t/c"), OK, "adds one", tx="T"),
        do("a", write("/t/a"), OK, "and another", tx="T"),
        do("a", rm("/t/y"), OK, "removes one", tx="T"),
        do("a", write("/t/y"), OK, "and makes it anew", tx="T"),
        do("a", directory("/t"), names("z", "c", "a", "y"), "its own view", tx="T"),
        do("a", directory("/t"), names("z", "y"), "nobody else's"),
        do("a", end(), OK, "commit", tx="T"),
        do("a", directory("/t"), names("z", "c", "a", "y"), "everybody's"),
        given=[node("/t/z"), node("/t/y")],
        not_on=O_UNORDERED,
    ),
    scenario(
        "implicitly made directories are ordered, too",
        do("a", write("/t/q/x"), OK, "a directory with a child"),
        do("a", write("/t/b"), OK, "a node"),
        do("a", write("/t/q/a"), OK, "another child of the first"),
        do("a", directory("/t"), names("q", "b"), "the directory was first"),
        do("a", directory("/t/q"), names("x", "a"), "its children in their own order"),
        not_on=O_UNORDERED,
    ),
    scenario(
        "oxenstored sorts",
        do("a", write("/t/z"), OK, "the first"),
        do("a", write("/t/a"), OK, "the second"),
        do("a", directory("/t"), names("z", "a"), "order of creation", o=but("it sorts", names("a", "z"))),
    ),
]
