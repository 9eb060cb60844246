"""Every citation leads somewhere: documents and their sections, Xen's documents and headers, advisories.

How code cites, in a comment or docstring: `toolstack.md 2.1` for a section with a number, of a document that
docs/reference/README.md lists; `docs/bus.md, "Events"` for one with a title.
"""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
REFERENCE = TOP / "docs/reference"
#: Folders and files in which citations are looked for.
CITING = (
    "xend", "xenstore", "cython", "clients", "tests", "contrib", "rc.d", "docs", "examples",
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml", "setup.py"),
)  # fmt: skip
#: Reports that programs write, and this test's own samples.
NO_DOCUMENTS = {"results.md", "summary.md", "devices.md", "domains.md", "NAME.md"}
NOT_READ = {Path(__file__).name}

#: What lies between words of a citation: a line may end there, and a comment go on.
_GAP = r"\s+(?:[#*]:?\s+)?"
_NUMBER = r"\d+(?:\.\d+)*"
_DOCUMENT = re.compile(
    rf"(?<![\w./*{{-])(?P<path>[\w./-]*\w\.md)\b"
    rf"(?:,?{_GAP}(?:sections?{_GAP})?(?P<numbers>{_NUMBER}(?:(?:,| and|, and| to){_GAP}{_NUMBER})*)"
    rf"|,{_GAP}\"(?P<title>[^\"\n]+)\")?"
)
_PATH_IN_DOCS = re.compile(r"(?<![\w./-])docs/[\w./-]*\w")
_HEADER = re.compile(r"(?<![\w./-])xen/include/(?:[\w./-]|\{[\w,/]+\})*")
_ADVISORY = re.compile(r"\bXSA-(\d+)")
_LINK = re.compile(r"\]\((?!\w+:)(?P<path>[^()#\s]+)[^()]*\)")

_HEADING = re.compile(rf"^#+ (?:(?P<number>{_NUMBER})\.? )?(?P<title>.*)$", re.MULTILINE)
#: Paragraphs of longer sections begin with their subject.
_SUBJECT = re.compile(r"^(?:- )?\*\*(?P<title>[^*]+?)\.?\*\*", re.MULTILINE)


def find_document(path: str, citing: Path) -> Path | None:
    """The file that is meant, by its path from the top, docs/ or the citing file, or by its name alone."""
    folders = (TOP, TOP / "docs", citing.parent, REFERENCE)
    return next((folder / path for folder in folders if (folder / path).is_file()), None)


@functools.cache
def sections(document: Path) -> set[str]:
    """Numbers and titles."""
    text = document.read_text()
    found = [match for pattern in (_HEADING, _SUBJECT) for match in pattern.finditer(text)]
    return {name for match in found for name in match.groupdict().values() if name}


@functools.cache
def documents_of_xen() -> set[str]:
    """Documents of Xen's own tree that may be cited: the second table of docs/reference/README.md."""
    table = (REFERENCE / "README.md").read_text().partition("## Xen's own documents")[2]
    return set(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE))


@functools.cache
def advisories() -> set[str]:
    """The numbers that xsa.md has in a table's first column."""
    rows = re.findall(r"^\| ([\d, ]+) \|", (REFERENCE / "xsa.md").read_text(), re.MULTILINE)
    return {number for row in rows for number in row.split(", ")}


def faults(text: str, citing: Path) -> Iterator[tuple[int, str]]:
    """Where in the text a citation leads nowhere, and what is missing."""
    for match in _DOCUMENT.finditer(text):
        if match["path"] not in documents_of_xen() and Path(match["path"]).name not in NO_DOCUMENTS:
            yield from ((match.start(), fault) for fault in _document_faults(match, citing))
    for match in _PATH_IN_DOCS.finditer(text):
        path = match[0]
        if not path.endswith(".md") and path not in documents_of_xen() and not (TOP / path).exists():
            yield match.start(), f"{path} does not exist, nor has docs/reference/README.md it among Xen's"
    for match in _HEADER.finditer(text):
        if not match[0].rstrip(".").endswith(".h"):
            yield match.start(), f"{match[0]} names no header (its path ends in .h)"
    for match in _ADVISORY.finditer(text):
        if match[1] not in advisories():
            yield match.start(), f"docs/reference/xsa.md has no row for {match[0]}"
    for match in _LINK.finditer(text) if citing.suffix == ".md" else ():
        if not (citing.parent / match["path"]).exists():
            yield match.start(), f"the link to {match['path']} leads nowhere"


def _document_faults(match: re.Match[str], citing: Path) -> Iterator[str]:
    document = find_document(match["path"], citing)
    if document is None:
        yield f"{match['path']} is no document at the top, in docs/ or in docs/reference/"
        return
    wanted = re.findall(_NUMBER, match["numbers"] or "") + ([match["title"]] if match["title"] else [])
    missing = [section for section in wanted if section not in sections(document)]
    yield from (f"{document.relative_to(TOP)} has no section {section}" for section in missing)


def citing_texts() -> Iterator[tuple[Path, str]]:
    """The tree's texts, without what is generated: Cython's C, bytecode."""
    for name in CITING:
        path = TOP / name
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            generated = file.suffix == ".c" and file.with_suffix(".pyx").exists()
            if file.is_file() and not file.is_symlink() and not generated and file.name not in NOT_READ:
                contents = file.read_bytes()
                if b"\0" not in contents:
                    yield file, contents.decode(errors="replace")


def test_every_citation_leads_somewhere() -> None:
    found = [
        f"{file.relative_to(TOP)}:{text.count(chr(10), 0, position) + 1}: {fault}"
        for file, text in citing_texts()
        for position, fault in faults(text, file)
    ]
    assert not found, "citations that lead nowhere:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "(toolstack.md 2.1; xen/include/public/io/netif.h)",
        "Source: toolstack.md section 8.",
        "netbsd.md, section 2, say",
        "peers.md, sections 2, 3 and 4. As before",
        "`reference/guests.md`, sections 1, 3 and 5",
        "(toolstack.md,\nring-and-boot.md 5\n# and 6)",
        'docs/bus.md, "Events"',
        "docs/reference/xsa.md",
        "docs/misc/xenstore.txt and docs/designs/xenstore-migration.md",
        "docs/man/xl.cfg.5",
        "https://example.org/docs/nothing.html",
        "xen/include/public/hvm/{hvm_op,params}.h",
        "XSA-38, XSA-484",
        "build/bench/results.md",
    ],
)
def test_what_is_there(text: str) -> None:
    assert list(faults(text, TOP / "xend/host.py")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("toolstack.md 2.9", "docs/reference/toolstack.md has no section 2.9"),
        ("toolstack.md sections 2 and\n#: 77", "docs/reference/toolstack.md has no section 77"),
        ("see nowhere.md", "nowhere.md is no document at the top, in docs/ or in docs/reference/"),
        ("docs/toolstack.md", "docs/toolstack.md is no document at the top, in docs/ or in docs/reference/"),
        ('docs/bus.md, "Weather"', "docs/bus.md has no section Weather"),
        ("docs/man/nothing.1", "docs/man/nothing.1 does not exist, nor"),
        ("xen/include/public/io/xs_wire", "xen/include/public/io/xs_wire names no header"),
        ("XSA-9999", "docs/reference/xsa.md has no row for XSA-9999"),
    ],
)
def test_what_is_missing(text: str, said: str) -> None:
    ((_, fault),) = faults(text, TOP / "xend/host.py")
    assert fault.startswith(said)


def test_links_of_documents() -> None:
    text = "[one](docs/man), [two](https://example.org/x), [three](#speed), [four](contrib/nothing.svg#top)"
    ((position, fault),) = faults(text, TOP / "README.md")
    assert (text[position:][:9], fault) == ("](contrib", "the link to contrib/nothing.svg leads nowhere")
