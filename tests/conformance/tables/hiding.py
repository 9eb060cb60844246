"""Which error a domain gets for what it may not see: nothing is said about what lies below a closed node.

The true error is told if the nearest ancestor that exists grants the right asked for, else EACCES.
"""

from tests.conformance.table import do, home, node, scenario
from tests.conformance.reasons import O_NOT_OWNER, O_NO_HIDING, O_RM_MISSING
from tests.conformance.words import EACCES, EINVAL, ENOENT, OK, directory, get_perms, mkdir, read, rm, set_perms, write

SCENARIOS = [
    scenario(
        "a missing node below a closed one",
        do("d3", read("/t/missing"), EACCES, "READ does not say that it is missing", o=O_NO_HIDING),
        do("d3", directory("/t/missing"), EACCES, "nor DIRECTORY", o=O_NO_HIDING),
        do("d3", get_perms("/t/missing"), EACCES, "nor GET_PERMS", o=O_NO_HIDING),
        do("d3", write("/t/missing"), EACCES, "it cannot be made"),
        do("d3", mkdir("/t/missing"), EACCES, "in no way"),
        do("d3", rm("/t/missing"), EACCES, "nor removed", o=O_RM_MISSING),
        do("d3", set_perms("/t/missing", "n3"), EACCES, "nor owned", o=O_NO_HIDING),
        do("d3", read("/t/missing/deeper"), EACCES, "nor anything below it", o=O_NO_HIDING),
        do("d3", rm("/t/missing/deeper"), EACCES, "by any request", o=O_NO_HIDING),
        given=[node("/t")],
    ),
    scenario(
        "a missing node below a readable one",
        do("d3", read("/t/missing"), ENOENT, "READ may say it"),
        do("d3", directory("/t/missing"), ENOENT, "DIRECTORY, too"),
        do("d3", get_perms("/t/missing"), ENOENT, "and GET_PERMS"),
        do("d3", read("/t/missing/deeper"), ENOENT, "also further below"),
        do("d3", write("/t/missing"), EACCES, "writing needs the right to write"),
        do("d3", mkdir("/t/missing"), EACCES, "in any form"),
        do("d3", rm("/t/missing"), EACCES, "removal needs it as well", o=O_RM_MISSING),
        do("d3", rm("/t/missing/deeper"), EACCES, "however deep", o=O_NO_HIDING),
        do("d3", set_perms("/t/missing", "n3"), EACCES, "so do permissions", o=O_NO_HIDING),
        given=[node("/t", perms="r0")],
    ),
    scenario(
        "a missing node below a writable one",
        do("d3", read("/t/missing"), EACCES, "reading needs the right to read", o=O_NO_HIDING),
        do("d3", directory("/t/missing"), EACCES, "in any form", o=O_NO_HIDING),
        do("d3", rm("/t/missing"), OK, "removing what is missing is fine"),
        do("d3", rm("/t/missing/deeper"), ENOENT, "the parent is missing, and that may be said"),
        do("d3", set_perms("/t/missing", "n3"), ENOENT, "WRITE is among the rights asked for"),
        do("d3", write("/t/missing"), OK, "it can be made"),
        do("d3", read("/t/missing"), b"", "then it is the domain's own", o=O_NOT_OWNER),
        given=[node("/t", perms="w0")],
    ),
    scenario(
        "below the domain's own home everything is said",
        do("d3", read("missing"), ENOENT, "READ"),
        do("d3", read("missing/deeper"), ENOENT, "further below"),
        do("d3", directory("missing"), ENOENT, "DIRECTORY"),
        do("d3", get_perms("missing"), ENOENT, "GET_PERMS"),
        do("d3", set_perms("missing", "n3"), ENOENT, "SET_PERMS"),
        do("d3", rm("missing"), OK, "RM of what is missing"),
        do("d3", rm("missing/deeper"), ENOENT, "RM without a parent"),
        given=[home(3)],
    ),
    scenario(
        "the nearest ancestor decides, not those above",
        do("d3", read("/t/open/missing"), ENOENT, "readable below a closed one"),
        do("d3", read("/u/closed/missing"), EACCES, "closed below a readable one", o=O_NO_HIDING),
        do("d3", read("/u/closed"), EACCES, "what is there and closed"),
        do("d3", read("/u/missing"), ENOENT, "what is not there"),
        given=[node("/t"), node("/t/open", perms="r0"), node("/u", perms="r0"), node("/u/closed")],
    ),
    scenario(
        "a closed node and a missing one look alike",
        do("d3", read("/t/there"), EACCES, "this one exists"),
        do("d3", read("/t/missing"), EACCES, "this one does not", o=O_NO_HIDING),
        do("d3", rm("/t/there"), EACCES, "removing the one"),
        do("d3", rm("/t/missing"), EACCES, "or the other", o=O_RM_MISSING),
        do("d3", write("/t/there"), EACCES, "writing the one"),
        do("d3", write("/t/missing"), EACCES, "or the other"),
        do("d3", get_perms("/t/there"), EACCES, "asking about the one"),
        do("d3", get_perms("/t/missing"), EACCES, "or the other", o=O_NO_HIDING),
        given=[node("/t"), node("/t/there", "v")],
    ),
    scenario(
        "with an empty store",
        do("d3", read("/missing"), EACCES, "the root says nothing", o=O_NO_HIDING),
        do("d3", read("relative"), EACCES, "without a home, a relative path is no better", o=O_NO_HIDING),
        do("d3", write("relative"), EACCES, "nor can one be made"),
        do("d3", rm("relative"), EACCES, "or removed", o=O_NO_HIDING),
        do("d3", directory("/local/domain/3"), EACCES, "the home is missing, too", o=O_NO_HIDING),
    ),
    scenario(
        "malformed paths are told to all",
        do("d3", read("/t/"), EINVAL, "whatever the permissions"),
        do("d3", write("/t//x"), EINVAL, "for writing"),
        do("d3", rm("/t/."), EINVAL, "for removal"),
        given=[node("/t")],
    ),
    scenario(
        "dom0 is told everything",
        do("a", read("/t/missing"), ENOENT, "missing"),
        do("a", rm("/t/missing/deeper"), ENOENT, "without a parent"),
        do("a", set_perms("/t/missing", "n0"), ENOENT, "not there to own"),
        given=[node("/t")],
    ),
]
