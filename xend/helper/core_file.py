"""A core as Xen writes it (docs/misc/dump-core-format.txt, version 0.1), of a domain that is not paravirtual.

An ELF file of sections alone: notes, the vCPUs' registers, the page that is shared with Xen if the domain has
one, its pages, and the numbers of their frames in the same order.
"""

import struct
from typing import NamedTuple

PAGE = 4096

_ELF = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SEGMENT_SIZE = 56
_NOTE = struct.Struct("<III4s")
_CORE, _X86_64 = 4, 62
_PROGBITS, _STRTAB, _NOTES = 1, 3, 7
#: Types of notes (xen/include/public/elfnote.h).
_NONE, _HEADER, _XEN_VERSION, _FORMAT_VERSION = range(0x2000000, 0x2000004)
#: XC_CORE_MAGIC_HVM.
_MAGIC = 0xF00FEBEE
_VERSION = 0, 1


class Layout(NamedTuple):
    """What stands before and behind a domain's pages.

    Attributes:
        version: of the Xen that it was made under, as a note has it.
        contexts: each started vCPU's registers, all of the same size.
        shared_info: the page that is shared with Xen, or None.
        pages: how many there are.
    """

    version: bytes
    contexts: list[bytes]
    shared_info: bytes | None
    pages: int

    def head(self) -> bytes:
        """All that comes before the pages, up to a whole page."""
        notes = self._notes()
        contexts = b"".join(self.contexts)
        shared = self.shared_info or b""
        names = self._names()
        start = _ELF.size + (len(names) + 1) * _SECTION.size
        pages_start = -(-(start + len(notes) + len(contexts) + len(shared)) // PAGE) * PAGE
        frames_start = pages_start + self.pages * PAGE
        rows = {
            ".shstrtab": (_STRTAB, frames_start + self.pages * 8, len(self._strings()), 0, 0),
            ".note.Xen": (_NOTES, start, len(notes), 0, 0),
            ".xen_prstatus": (_PROGBITS, start + len(notes), len(contexts), 8, len(self.contexts[0])),
            ".xen_shared_info": (_PROGBITS, start + len(notes) + len(contexts), len(shared), 8, PAGE),
            ".xen_pages": (_PROGBITS, pages_start, self.pages * PAGE, PAGE, PAGE),
            ".xen_pfn": (_PROGBITS, frames_start, self.pages * 8, 8, 8),
        }
        sections = bytes(_SECTION.size) + b"".join(self._section(name, *rows[name]) for name in names)
        data = self._elf(len(names) + 1) + sections + notes + contexts + shared
        return data.ljust(pages_start, b"\0")

    def tail(self, frames: bytes) -> bytes:
        """All that comes behind the pages.

        Args:
            frames: their numbers, 64 bits each; all ones: there was none.
        """
        return frames + self._strings()

    def _names(self) -> list[str]:
        shared = [] if self.shared_info is None else [".xen_shared_info"]
        return [".shstrtab", ".note.Xen", ".xen_prstatus", *shared, ".xen_pages", ".xen_pfn"]

    def _strings(self) -> bytes:
        return b"\0" + b"".join(name.encode() + b"\0" for name in self._names())

    def _section(self, name: str, type: int, start: int, size: int, alignment: int, entry: int) -> bytes:
        at = self._strings().index(b"\0" + name.encode() + b"\0") + 1
        return _SECTION.pack(at, type, 0, 0, start, size, 0, 0, alignment, entry)

    def _elf(self, sections: int) -> bytes:
        ident = b"\x7fELF\2\1\1"
        return _ELF.pack(
            *(ident, _CORE, _X86_64, 1, 0, 0, _ELF.size),
            *(0, _ELF.size, _SEGMENT_SIZE, 0, _SECTION.size, sections, 1),
        )

    def _notes(self) -> bytes:
        header = struct.pack("<4Q", _MAGIC, len(self.contexts), self.pages, PAGE)
        major, minor = _VERSION
        return b"".join(
            _NOTE.pack(4, len(text), type, b"Xen") + text
            for type, text in (
                (_NONE, b""),
                (_HEADER, header),
                (_XEN_VERSION, self.version),
                (_FORMAT_VERSION, struct.pack("<Q", major << 32 | minor)),
            )
        )
