"""Saved domains: Xen's file format, read and written as values; nothing is believed before it is checked.

    header   what xl puts in front: magic, flags, the domain's configuration
    own      what xend adds behind the configuration, which xl passes over: its own source, a checksum
    records  libxl's records, and libxc's stream of the domain's memory among them: where each lies
    emulator what libxl's records have of a device model
    features what leaves of CPUID, which are among the records, say by name
    reader   bytes of a file, from a place on, with the place in each error

Sources: migration.md 1; docs/specs/libxc-migration-stream.pandoc, docs/specs/libxl-migration-stream.pandoc
"""

__all__ = ["StreamError"]


class StreamError(Exception):
    """What a saved domain's bytes are not, or what this xend does not read of them; one line.

    Attributes:
        offset: of the first byte that is wrong, from the beginning of the file.
        where: what is there: "header", "record PAGE_DATA".
        text: what was found and what was expected.
    """

    def __init__(self, offset: int, where: str, text: str) -> None:
        super().__init__(f"at byte {offset}, {where}: {text}")
        self.offset = offset
        self.where = where
        self.text = text
