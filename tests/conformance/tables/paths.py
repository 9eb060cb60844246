"""What is a path, and what a relative one stands for."""

from tests.conformance.reasons import C_LONG, O_LONG, O_NO_HIDING
from tests.conformance.table import do, home, scenario
from tests.conformance.words import (
    EACCES,
    EINVAL,
    ENOENT,
    OK,
    directory,
    get_perms,
    mkdir,
    names,
    read,
    rm,
    watch,
    write,
)

ALLOWED = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_@"
REFUSED = [chr(code) for code in range(1, 127) if chr(code) not in ALLOWED + "/"]
MALFORMED = {
    "/t/": "ends with a slash",
    "/t//": "ends with two",
    "//": "is two slashes",
    "//t": "begins with two",
    "/t//a": "has two in the middle",
    "t/": "is relative and ends with a slash",
    "t//a": "is relative with two in the middle",
}
REQUESTS = {
    "DIRECTORY": directory,
    "READ": read,
    "MKDIR": mkdir,
    "RM": rm,
    "WRITE": write,
    "GET_PERMS": get_perms,
}


def long_path(size: int) -> str:
    """A relative path of that many bytes, of short names: a long one would not fit into its directory."""
    return ("a" * 99 + "/") * ((size - 1) // 100) + "b" * ((size - 1) % 100 + 1)


SCENARIOS = [
    scenario(
        "every allowed character",
        *(do("a", write(f"/t/{c}", c), OK, f"{c!r} may be in a path") for c in ALLOWED),
        do("a", write("/t/" + ALLOWED, "all"), OK, "all at once"),
        *(do("a", read(f"/t/{c}"), c.encode(), f"{c!r} names a node of its own") for c in ALLOWED),
    ),
    scenario(
        "every other character",
        *(do("a", write(f"/t/{c}", c), EINVAL, f"{c!r} may not be in a path") for c in REFUSED),
        *(do("a", write(f"/t{c}a", c), EINVAL, f"nor may {c!r} in the middle") for c in REFUSED),
        *(
            do("a", write(b"/t/" + bytes([code]), "v"), EINVAL, f"nor byte {code}")
            for code in (127, 128, 0xC3, 255)
        ),
        do("a", read("/t"), ENOENT, "none of them made anything"),
    ),
    scenario(
        "slashes",
        *(do("a", write(path, "v"), EINVAL, f"{path} {why}") for path, why in MALFORMED.items()),
        *(do("a", read(path), EINVAL, f"{path} {why}") for path, why in MALFORMED.items()),
        *(do("a", watch(path, "tok"), EINVAL, f"{path} {why}") for path, why in MALFORMED.items()),
        do("a", read("/t"), ENOENT, "none of them made anything"),
    ),
    *(
        scenario(
            f"{name} of what is no path",
            do("a", request(""), EINVAL, "an empty path"),
            do("a", request("/t/"), EINVAL, "a trailing slash"),
            do("a", request("/a.b"), EINVAL, "a dot"),
            do("a", request(b"/t/caf\xc3\xa9"), EINVAL, "bytes that are not ASCII"),
        )
        for name, request in REQUESTS.items()
    ),
    scenario(
        "@ inside a path",
        do("a", write("/t/@a", "v"), OK, "a component may begin with @"),
        do("a", read("/t/@a"), b"v", "and is an ordinary node"),
        do("a", write("/t/b@c", "w"), OK, "or contain one"),
        do("a", read("/t/b@c"), b"w", "as well"),
    ),
    scenario(
        "relative paths of a socket are dom0's",
        do("a", write("t", "v"), OK, "a relative path"),
        do("a", read("/local/domain/0/t"), b"v", "lies below /local/domain/0"),
        do("a", read("t"), b"v", "and is read by either name"),
        do("a", directory("/local/domain/0"), names("t"), "it is listed there"),
        do("a", write("t/a/b", "w"), OK, "with more components"),
        do("a", read("/local/domain/0/t/a/b"), b"w", "the same"),
        do("a", write("/local/domain/0/u", "x"), OK, "a node by its absolute path"),
        do("a", read("u"), b"x", "is found by the relative one"),
        do("a", rm("t"), OK, "removal, too"),
        do("a", directory("/local/domain/0"), names("u"), "takes a relative path"),
    ),
    scenario(
        "relative paths of a domain are its own",
        do("d3", write("t", "v"), OK, "a relative path"),
        do("d3", read("/local/domain/3/t"), b"v", "lies in the domain's home"),
        do("a", read("/local/domain/3/t"), b"v", "for all"),
        do("a", read("t"), ENOENT, "a socket's relative path is dom0's"),
        do("d5", read("t"), ENOENT, "another domain's is its own"),
        do("d5", directory("/local/domain/3"), EACCES, "the home of another is closed"),
        given=[home(3), home(5)],
    ),
    scenario(
        "paths that half look like a domain's",
        do("a", read("/local/domain/"), EINVAL, "a trailing slash (XSA-481)"),
        do("a", read("/local/domain"), b"", "the directory of homes"),
        do("a", read("/local/domain/x"), ENOENT, "no number"),
        do("a", read("/local/domain/99999999999"), ENOENT, "a number too large"),
        do("a", read("/local/domain/99999999999/"), EINVAL, "with a slash"),
        do("a", read("/local/domain/99999999999/x"), ENOENT, "with a child"),
        do("d3", read("/local/domain/"), EINVAL, "a domain gets the same answer"),
        do("d3", read("/local/domain/3/"), EINVAL, "also on its own home"),
        do("d3", read("/local/domain"), EACCES, "what it may not read"),
        do("d3", read("/local/domain/x"), EACCES, "or not find out", o=O_NO_HIDING),
        do("d3", read("/local/domain/99999999999/x"), EACCES, "stays unsaid", o=O_NO_HIDING),
        given=[home(3)],
    ),
    scenario(
        "how long a domain's path may be",
        do("d3", write(long_path(2047), "v"), OK, "one byte less than the limit"),
        do("d3", read("/local/domain/3/" + long_path(2047)), b"v", "the home does not count (XSA-323)"),
        do("d3", write(long_path(2048), "w"), OK, "exactly 2048"),
        do("d3", read("/local/domain/3/" + long_path(2048)), b"w", "by either name"),
        do("a", read("/local/domain/3/" + long_path(2048)), b"w", "for others, too"),
        do("d3", write(long_path(2049), "x"), EINVAL, "one more is too long"),
        do("d3", write("/local/domain/3/" + long_path(2049), "x"), EINVAL, "by either name"),
        do("d3", read(long_path(2049)), EINVAL, "for reading, too"),
        do("d3", watch(long_path(2049), "tok"), EINVAL, "and watching"),
        do("d3", write("/" + long_path(2047), "x"), EACCES, "elsewhere the whole path counts"),
        do("d3", write("/" + long_path(2048), "x"), EINVAL, "with its slash"),
        do("a", rm("/local/domain/3/" + long_path(2048)), OK, "dom0 can remove it (XSA-323)"),
        do("d3", read(long_path(2048)), ENOENT, "it is gone"),
        given=[home(3)],
        not_on={"o": "the limit is quota-path-max, 1024"},
    ),
    scenario(
        "a socket's path may fill the message",
        do("a", write("/" + "a" * 2048, "v"), OK, "longer than a domain's", c=C_LONG, o=O_LONG),
        do("a", write("/" + "a" * 4090, "v"), OK, "as long as the message allows", c=C_LONG, o=O_LONG),
        do("a", read("/" + "a" * 4090), b"v", "it is there", c=C_LONG, o=O_LONG),
        do("a", rm("/" + "a" * 4090), OK, "and can be removed", c=C_LONG, o=O_LONG),
        do("a", rm("/" + "a" * 2048), OK, "and can be removed", c=C_LONG, o=O_LONG),
    ),
]
