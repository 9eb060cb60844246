"""Who may do what: owner, entries, the first entry's right, targets, and what new nodes inherit."""

from tests.conformance.reasons import (
    C_OVERFLOW,
    C_TAKES,
    O_ANY_NUMBER,
    O_ANY_OWNER,
    O_EACCES,
    O_MKDIR_ROOT,
    O_NO_HIDING,
    O_OWNER,
    O_ROOT,
)
from tests.conformance.table import Row, but, do, node, scenario
from tests.conformance.words import (
    EACCES,
    EINVAL,
    ENOENT,
    EPERM,
    OK,
    Reply,
    directory,
    get_perms,
    mkdir,
    names,
    raw,
    read,
    rm,
    set_perms,
    set_target,
    write,
)
from xenstore.wire import MessageType as Type

#: Rights of an entry: letter, may read, may write.
RIGHTS = {"n": (False, False), "r": (True, False), "w": (False, True), "b": (True, True)}


def allowed(yes: bool, reply: Reply) -> Reply:
    return reply if yes else EACCES


def rights_of(letter: str, perms: str, who: str) -> list[Row]:
    """What domain 3 may do with the node /t/x, which has these permissions and this value."""
    reads, writes = RIGHTS[letter]
    return [
        do("d3", read("/t/x"), allowed(reads, b"v"), f"{perms}: READ by {who}"),
        do("d3", directory("/t/x"), allowed(reads, names("c")), f"{perms}: DIRECTORY by {who}"),
        do("d3", get_perms("/t/x"), allowed(reads, names(*perms.split())), f"{perms}: GET_PERMS by {who}"),
        do("d3", write("/t/x", "v"), allowed(writes, OK), f"{perms}: WRITE by {who}"),
        do("d3", mkdir("/t/x"), allowed(writes, OK), f"{perms}: MKDIR of what exists by {who}"),
        do("d3", write(f"/t/x/{letter}", "v"), allowed(writes, OK), f"{perms}: a new child by {who}"),
        do("d3", set_perms("/t/x", "n3"), EACCES, f"{perms}: only the owner may change permissions"),
        do("d3", rm("/t/x"), allowed(writes, OK), f"{perms}: RM by {who}"),
    ]


SCENARIOS = [
    *(
        scenario(
            f"right {letter} of everybody",
            *rights_of(letter, f"{letter}0", "a domain not listed"),
            given=[node("/t"), node("/t/x", "v", f"{letter}0"), node("/t/x/c")],
        )
        for letter in RIGHTS
    ),
    *(
        scenario(
            f"right {letter} of a listed domain",
            *rights_of(letter, f"n0 {letter}3", "the domain listed"),
            given=[node("/t"), node("/t/x", "v", f"n0 {letter}3"), node("/t/x/c")],
        )
        for letter in RIGHTS
    ),
    *(
        scenario(
            f"right {letter} takes away from everybody's b",
            *rights_of(letter, f"b0 {letter}3", "the domain listed"),
            given=[node("/t"), node("/t/x", "v", f"b0 {letter}3"), node("/t/x/c")],
        )
        for letter in RIGHTS
    ),
    scenario(
        "the owner may do everything",
        do("d3", read("/t/x"), b"v", "read, though the default is n"),
        do("d3", write("/t/x", "w"), OK, "write"),
        do("d3", set_perms("/t/x", "n3 r5"), OK, "change permissions"),
        do("d5", read("/t/x"), b"w", "so that another may read"),
        do("d5", write("/t/x", "z"), EACCES, "but not write"),
        do("d3", set_perms("/t/x", "n3 w5"), OK, "change again"),
        do("d5", write("/t/x", "z"), OK, "now it may write"),
        do("d5", read("/t/x"), EACCES, "but not read"),
        do("d3", set_perms("/t/x", "r3 n5"), OK, "everybody but 5"),
        do("d5", read("/t/x"), EACCES, "5 may not"),
        do("d7", read("/t/x"), b"z", "7 may"),
        do("d3", rm("/t/x"), OK, "remove"),
        given=[node("/t"), node("/t/x", "v", "n3")],
    ),
    scenario(
        "dom0 may do everything",
        do("a", read("/t/x"), b"v", "read what is a domain's"),
        do("a", write("/t/x", "w"), OK, "write it"),
        do("a", get_perms("/t/x"), names("n3"), "which leaves the owner"),
        do("a", write("/t/x/y"), OK, "create below it"),
        do("a", get_perms("/t/x/y"), names("n3"), "which inherits the owner"),
        do("a", set_perms("/t/x", "r5 b3"), OK, "give it to another"),
        do("a", get_perms("/t/x"), names("r5", "b3"), "as said"),
        do("a", rm("/t/x"), OK, "remove it"),
        do("d5", read("/t/x"), EACCES, "gone", o=O_NO_HIDING),
        given=[node("/t"), node("/t/x", "v", "n3")],
        alive=[3],
    ),
    scenario(
        "a new node copies its parent's permissions",
        do("a", write("/t/x/y/z", "v"), OK, "three levels at once"),
        do("a", get_perms("/t/x"), names("r0", "b3", "w5"), "the first copies its parent's"),
        do("a", get_perms("/t/x/y/z"), names("r0", "b3", "w5"), "so does the last"),
        do("a", set_perms("/t/x", "n0"), OK, "a later change of the parent"),
        do("a", get_perms("/t/x/y"), names("r0", "b3", "w5"), "changes no child"),
        do("a", write("/t/x/new"), OK, "a child made afterwards"),
        do("a", get_perms("/t/x/new"), names("n0"), "copies what is there then"),
        given=[node("/t", perms="r0 b3 w5")],
    ),
    scenario(
        "a domain owns what it creates",
        do("d3", write("/t/x", "v"), OK, "in a directory of dom0's that it may write"),
        do("a", get_perms("/t/x"), names("n3", "b3"), "the creator replaces the owner", o=O_OWNER),
        do("d3", mkdir("/t/m/n"), OK, "with a directory on the way"),
        do("a", get_perms("/t/m"), names("n3", "b3"), "which is its own, too", o=O_OWNER),
        do("a", get_perms("/t/m/n"), names("n3", "b3"), "as the node itself", o=O_OWNER),
        do("a", get_perms("/t"), names("n0", "b3"), "the parent stays dom0's"),
        given=[node("/t", perms="n0 b3")],
    ),
    scenario(
        "permissions of the parent do not reach the child",
        do("d3", read("/t/x"), b"v", "a readable node below an unreadable one"),
        do("d3", read("/t"), EACCES, "which stays closed"),
        do("d3", read("/t/y"), EACCES, "as its other child does"),
        given=[node("/t"), node("/t/x", "v", "r0"), node("/t/y", "w", "n0")],
    ),
    scenario(
        "removal needs WRITE on the node alone",
        do("d3", rm("/t/x"), OK, "writable below a closed parent"),
        do("d3", rm("/u/x"), EACCES, "closed below a writable parent"),
        do("a", read("/u/x"), b"v", "it is still there"),
        do("d3", rm("/v/x"), OK, "a subtree goes whatever is in it"),
        do("a", read("/v/x/y"), ENOENT, "also what it could not write"),
        given=[
            node("/t"),
            node("/t/x", "v", "b3"),
            node("/u", perms="b3"),
            node("/u/x", "v"),
            node("/v"),
            node("/v/x", perms="n0 w3"),
            node("/v/x/y"),
        ],
    ),
    scenario(
        "creation needs WRITE on the nearest ancestor that exists",
        do("d3", write("/t/a"), EACCES, "the parent may only be read"),
        do("d3", write("/t/a/b/c"), EACCES, "so may the nearest ancestor"),
        do("d3", mkdir("/t/a/b"), EACCES, "MKDIR needs the same"),
        do("d3", write("/u/a/b/c"), OK, "the nearest ancestor may be written"),
        do("d3", write("/u/closed/a"), EACCES, "a closed one between counts"),
        do("a", directory("/t"), b"", "nothing was made"),
        given=[node("/t", perms="r0"), node("/u", perms="n0 w3"), node("/u/closed")],
    ),
    scenario(
        "how entries are written",
        do("a", set_perms("/t", "b0 n1 r2 w3"), OK, "all four letters"),
        do("a", get_perms("/t"), names("b0", "n1", "r2", "w3"), "in the order given"),
        do("a", set_perms("/t", "n0 r3 r3"), OK, "the same domain twice"),
        do("a", get_perms("/t"), names("n0", "r3", "r3"), "is kept"),
        do("a", set_perms("/t", "x0"), EINVAL, "no such letter"),
        do("a", set_perms("/t", "R0"), EINVAL, "nor a capital"),
        do("a", set_perms("/t", "n0 x3"), EINVAL, "in any entry"),
        do("a", raw(Type.SET_PERMS, b"/t\0\0"), EINVAL, "an empty entry"),
        do("a", get_perms("/t"), names("n0", "r3", "r3"), "errors change nothing"),
        do("a", set_perms("/t", "r0"), OK, "a shorter list"),
        do("a", get_perms("/t"), names("r0"), "replaces the longer one"),
        given=[node("/t")],
    ),
    scenario(
        "entries without a number",
        do("a", set_perms("/t", "n"), EINVAL, "a letter alone"),
        do("a", set_perms("/t", "nx"), EINVAL, "no number"),
        do("a", set_perms("/t", "n0x"), EINVAL, "a number and more"),
        do("a", set_perms("/t", "n0 r"), EINVAL, "in any entry"),
        do("a", set_perms("/t", "n0 rx"), EINVAL, "is an error"),
        do("a", get_perms("/t"), names("n0"), "nothing changed"),
        given=[node("/t")],
    ),
    scenario(
        "numbers that no domain can have",
        do("a", set_perms("/t/a", "n-1"), EINVAL, "a negative number", c=C_OVERFLOW, o=O_ANY_NUMBER),
        do("a", set_perms("/t/b", "n65536"), EINVAL, "more than 16 bits", c=C_OVERFLOW, o=O_ANY_NUMBER),
        do("a", set_perms("/t/c", "n4294967296"), EINVAL, "more than 32 bits", c=C_TAKES, o=O_ANY_NUMBER),
        do("a", set_perms("/t/d", "n0 r65536"), EINVAL, "in any entry", c=C_TAKES, o=O_ANY_NUMBER),
        given=[node("/t/a"), node("/t/b"), node("/t/c"), node("/t/d")],
    ),
    scenario(
        "the first entry that names a domain counts",
        do("d3", read("/t/a"), EACCES, "n first, then r"),
        do("d3", read("/t/b"), b"v", "r first, then n"),
        do("d3", write("/t/b"), EACCES, "r first, then b"),
        given=[node("/t"), node("/t/a", "v", "n0 n3 r3"), node("/t/b", "v", "n0 r3 n3 b3")],
    ),
    scenario(
        "SET_PERMS is the owner's",
        do("d3", set_perms("/t/x", "n3"), EACCES, "b is not enough"),
        do("d3", set_perms("/t/y", "b0"), EACCES, "on a closed node neither"),
        do("d3", set_perms("/t/z", "b3"), OK, "the owner may"),
        do("d3", set_perms("/t/z", "b0"), EPERM, "but not give the node away (XSA-352)", o=O_EACCES),
        do("d3", set_perms("/t/z", "b5 b3"), EPERM, "nor to another domain", o=O_EACCES),
        do(
            "d3", set_perms("/t/z", "b9 b3"), ENOENT, "one that does not exist is found out first", o=O_EACCES
        ),
        do("a", get_perms("/t/z"), names("b3"), "it did not"),
        do("d3", set_perms("/t/missing", "b3"), EACCES, "a missing node below a closed one", o=O_NO_HIDING),
        given=[node("/t"), node("/t/x", perms="n0 b3"), node("/t/y"), node("/t/z", perms="n3")],
        alive=[5],
    ),
    scenario(
        "an owner that does not exist",
        do("a", set_perms("/t", "n9"), ENOENT, "nobody owns what no domain can free", o=O_ANY_OWNER),
        do("a", set_perms("/t", "n9 r0"), ENOENT, "whatever follows", o=O_ANY_OWNER),
        do("a", set_perms("/t", "n0 r9"), OK, "an entry may name any domain"),
        do("a", get_perms("/t"), names("n0", "r9"), "and is shown"),
        given=[node("/t")],
    ),
    scenario(
        "the target of a domain lends its rights",
        do("d3", read("/t/x"), EACCES, "no right of its own"),
        do("a", set_target(3, 5), OK, "domain 3 serves domain 5"),
        do("d3", read("/t/x"), b"v", "what 5 may read, 3 may read"),
        do("d3", write("/t/x", "w"), EACCES, "not more"),
        do("d3", write("/t/y", "w"), OK, "what 5 owns, 3 may write"),
        do("d3", set_perms("/t/y", "n5 r7"), OK, "and change its permissions"),
        do("d5", read("/t/z"), EACCES, "5 gets nothing of 3's"),
        do("d3", read("/t/z"), b"v", "which 3 keeps"),
        do("d3", write("/t/y/new"), OK, "what it creates"),
        do(
            "a",
            get_perms("/t/y/new"),
            names("n3", "r7"),
            "is its own",
            o=but("is the parent's owner's", names("n5", "r7")),
        ),
        given=[node("/t"), node("/t/x", "v", "n0 r5"), node("/t/y", "v", "n5"), node("/t/z", "v", "n3")],
    ),
    scenario(
        "the root is closed to domains",
        do("d3", directory("/"), EACCES, "not listed (XSA-353)"),
        do("d3", read("/"), EACCES, "not read"),
        do("d3", get_perms("/"), EACCES, "not asked"),
        do("d3", write("/", "x"), EACCES, "not written"),
        do("d3", mkdir("/"), EACCES, "not made", o=O_MKDIR_ROOT),
        do("d3", set_perms("/", "n3"), EACCES, "not taken"),
        do("d3", rm("/"), EACCES, "not removed"),
        do("d3", write("/t", "x"), EACCES, "no child of it"),
        do("d3", rm("/tool"), EACCES, "nor removed"),
        do("a", directory("/"), names("tool"), "nothing happened", o=O_ROOT),
        do("a", get_perms("/"), names("n0"), "nothing changed"),
    ),
    scenario(
        "DOMID_ANY is everybody",
        do("a", set_perms("/t", "n0 r32757"), OK, "a socket may use it"),
        do("a", get_perms("/t"), names("n0", "r32757"), "it is shown as a number"),
        do("d3", read("/t"), b"v", "every domain may read"),
        do("d5", read("/t"), b"v", "every domain"),
        do("d3", write("/t"), EACCES, "not more"),
        do("a", set_perms("/t", "n0 n5 r32757"), OK, "an entry before it"),
        do("d5", read("/t"), EACCES, "comes first"),
        do("d3", read("/t"), b"v", "for others it is as before"),
        given=[node("/t", "v")],
        not_on={"c": "DOMID_ANY came with Xen 4.22", "o": "the same"},
    ),
]
