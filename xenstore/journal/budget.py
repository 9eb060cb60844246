"""How large a journal may become, and who of its parts gets what: numbers only.

At any time there are at most two files of the size of an image (the one that counts, and the one that is
being written or room for it) and a number of segments, some of which are in the log, others spare.  All sizes
are in bytes of the disk.  What the store holds is its `content`: what an image of it takes.
"""

from xenstore.journal import segment

#: Segments that there are at rest; the log of a disk that is full goes round in them.
SEGMENTS_AT_REST = 3
#: Of those that there may be, one is left for what nobody has counted on: a frame longer than a segment, a
#: log that was damaged, a live update.
SEGMENTS_LEFT = 1
#: Segments that the log of a small store may fill.
_SEGMENTS = 8
#: The journal of a small store takes so many segments' room, all files together; a larger one's so many times
#: its content.
_LIMIT_SEGMENTS = 16
_LIMIT_CONTENTS = 3
#: Parts of what is left of the log when an image is begun: what everybody may use, what is divided in shares,
#: and what is for dom0's ring alone; the rest is for what is recorded unasked.
_OPEN, _SHARED, _FIRST = 8, 5, 2
_PARTS = 16
#: How much of these may be used before anything of the image is written.
_AT_ONCE = 0.25


def limit(content: int) -> int:
    """The most that a journal takes."""
    return max(_LIMIT_SEGMENTS * segment.SEGMENT_BYTES, _LIMIT_CONTENTS * content)


def ahead() -> int:
    """Room that is kept beyond what an image takes, in each of both files: the first half for guests'
    growth."""
    return 3 * segment.SEGMENT_BYTES // 8


def room(content: int) -> int:
    """The size of a file for an image of so much content."""
    return -(-(content + ahead()) // 4096) * 4096


def growth(room: int) -> int:
    """How large the content may become by guests, where there is so much room for an image."""
    return room - ahead() // 2


def segments(content: int, images: int) -> int:
    """How many segments there may be, beside so many bytes of images, which grow when the store does."""
    size = segment.SEGMENT_BYTES
    soon = max(images, 2 * room(content) + size)
    wanted = max(_SEGMENTS, content // size)
    return max(SEGMENTS_AT_REST + SEGMENTS_LEFT, min(wanted, (limit(content) - soon) // size))


def of_log(segments: int) -> int:
    """Bytes of frames that a log of so many segments may hold before an image must have replaced some of
    it."""
    return (segments - SEGMENTS_LEFT) * (segment.SEGMENT_BYTES - segment.HEADER_BYTES)


def is_image_due(since: int, left: int, segments: int) -> bool:
    """Whether so little is left of a log of so many segments that an image must be begun, where `since` bytes
    were recorded after the last one began."""
    return left * 7 <= of_log(segments) * 3 and since * 8 >= segment.SEGMENT_BYTES - segment.HEADER_BYTES


def pace_before(left: int, segments: int) -> tuple[int, int, int]:
    """What may be recorded from now on, while no image is being written: by everybody, in shares beyond that,
    and by dom0's ring beyond that; all in bytes.  An image is due long before."""
    log = of_log(segments)
    ends = [max(0, left - log // part) for part in (4, 8, 16)]
    return ends[0], ends[1] - ends[0], ends[2] - ends[1]


def pace(left: int, progress: float) -> tuple[int, int, int]:
    """The same since an image was begun that has come so far (0 to 1).  left: of the log, then."""
    part = left / _PARTS
    now = _AT_ONCE + (1 - _AT_ONCE) * min(progress, 1.0)
    return int(_OPEN * part * now), int(_SHARED * part * now), int(_FIRST * part)


def is_behind(used: int, left: int, progress: float) -> bool:
    """Whether the image has to hurry: half of what everybody may use now is used."""
    return 2 * used > pace(left, progress)[0]
