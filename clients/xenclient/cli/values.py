"""How xenstore-ls, -read and -write spell bytes that are not printable ASCII.

Source: facts of xenstore-utils 4.17, compared in tests/peers/test_programs.py.
"""

from __future__ import annotations

_NAMED = {b"\t"[0]: b"\\t", b"\n"[0]: b"\\n", b"\r"[0]: b"\\r", b"\\"[0]: b"\\\\"}
_SPACES = b" \t\n\v\f\r"
_OCTAL = b"01234567"
_HEXADECIMAL = b"0123456789abcdefABCDEF"


def _spell(byte: int) -> bytes:
    if byte in _NAMED:
        return _NAMED[byte]
    if 32 <= byte < 127:
        return bytes((byte,))
    return b"\\%03o" % byte if byte < 8 else b"\\x%02x" % byte


_SPELLED = [_spell(byte) for byte in range(256)]


def escape(value: bytes) -> bytes:
    """The value in printable ASCII."""
    return b"".join([_SPELLED[byte] for byte in value])


def unescape(text: bytes) -> bytes:
    """What `text` spells: \\t \\n \\r, octal \\ooo, hexadecimal \\xhh; any other escaped byte is itself.

    A backslash at the end is a NUL.
    """
    value = bytearray()
    first, *rest = text.split(b"\\")
    value += first
    pieces = iter(rest)
    for piece in pieces:
        if piece:
            value += _unescape(piece)
        else:
            # Two backslashes in a row, or one at the end.
            literal = next(pieces, None)
            value += b"\0" if literal is None else b"\\" + literal
    return bytes(value)


def _unescape(piece: bytes) -> bytes:
    """The piece with the escape at its start resolved."""
    if piece[0] in b"tnr":
        return {b"t": b"\t", b"n": b"\n", b"r": b"\r"}[piece[:1]] + piece[1:]
    if piece[0] in _OCTAL:
        size = _span(piece, 0, _OCTAL, 3)
        return bytes((int(piece[:size], 8) & 0xFF,)) + piece[size:]
    if piece[0] == b"x"[0]:
        return _hexadecimal(piece)
    return piece


def _hexadecimal(piece: bytes) -> bytes:
    """As scanf("%2x") reads it: after blanks, two bytes that may begin with a sign or be "0x"."""
    start = 1 + _span(piece, 1, _SPACES, len(piece))
    field = piece[start : start + 2]
    if field.lower() == b"0x":
        return b"\0" + piece[start + 2 :]
    sign = field[:1] if field[:1] in (b"+", b"-") else b""
    size = _span(field, len(sign), _HEXADECIMAL, 2 - len(sign))
    if not size:
        return piece
    end = len(sign) + size
    return bytes((int(field[:end], 16) & 0xFF,)) + piece[start + end :]


def _span(data: bytes, start: int, accepted: bytes, most: int) -> int:
    """How many bytes from `start` on, at most `most`, are among the accepted ones."""
    size = 0
    while size < most and start + size < len(data) and data[start + size] in accepted:
        size += 1
    return size
