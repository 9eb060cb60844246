"""Both directions of the page against a reference stream; indices that cannot be."""

import random

import pytest

from tests.unit.xend.console.guest import GuestConsole
from xend.console.ring import IN_SIZE, OUT_SIZE, ConsolePage

#: Where the four indices stand at first: also about to wrap around 32 bits, and in the middle of the ring.
STARTS = (0, 1, 1023, 2047, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFF00)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("seed", range(5))
def test_every_byte_comes_once_and_in_order(seed: int, start: int) -> None:
    rng = random.Random(seed)
    guest = GuestConsole(start)
    page = ConsolePage(guest.page)
    said, read, typed, heard = bytearray(), bytearray(), bytearray(), bytearray()
    for _ in range(400):
        match rng.randrange(4):
            case 0:
                data = rng.randbytes(rng.randrange(3000))
                said += data[: guest.put(data)]
            case 1:
                read += page.read(rng.choice((1, 100, OUT_SIZE)))
            case 2:
                data = rng.randbytes(rng.randrange(1500))
                typed += data[: page.write(data)]
            case 3:
                heard += guest.hear(rng.randrange(1, 1100))
    while data := page.read():
        read += data
    heard += guest.hear()
    assert (read, heard) == (said, typed)
    assert len(said) > OUT_SIZE
    assert len(typed) > IN_SIZE
    assert page.fault is None


@pytest.mark.parametrize("seed", range(5))
def test_another_program_goes_on_where_the_indices_stand(seed: int) -> None:
    rng = random.Random(seed)
    guest = GuestConsole(0xFFFFFFF0)
    said, read, typed, heard = bytearray(), bytearray(), bytearray(), bytearray()
    for _ in range(50):
        page = ConsolePage(guest.page)
        for _ in range(rng.randrange(4)):
            data = rng.randbytes(rng.randrange(700))
            said += data[: guest.put(data)]
            read += page.read(rng.randrange(900))
            typed += data[: page.write(data)]
            heard += guest.hear(rng.randrange(500))
        page.close()
    page = ConsolePage(guest.page)
    read += page.read()
    heard += guest.hear()
    assert (read, heard) == (said, typed)


@pytest.mark.parametrize(
    ("index", "distance"),
    [
        ("out_prod", OUT_SIZE + 1),
        ("out_prod", 0x7FFFFFFF),
        ("out_prod", 0x80000000),
        ("out_prod", -1),
        ("in_cons", 1),
        ("in_cons", -IN_SIZE - 1),
        ("in_cons", 0x80000000),
    ],
)
@pytest.mark.parametrize("start", STARTS)
def test_an_impossible_index_breaks_the_console_for_good(start: int, index: str, distance: int) -> None:
    guest = GuestConsole(start)
    page = ConsolePage(guest.page)
    guest[index] = start + distance
    assert page.read() == b"" or index == "in_cons"
    assert page.write(b"typed") == 0 or index == "out_prod"
    assert page.fault is not None
    assert index in page.fault
    assert str((start + distance) & 0xFFFFFFFF) in page.fault
    before = bytes(guest.memory)
    for name in ("out_prod", "in_cons"):
        guest[name] = start
    guest.put(b"innocent again")
    assert (page.read(), page.write(b"x")) == (b"", 0)
    assert guest["in_prod"] == int.from_bytes(before[3076:3080], "little")


@pytest.mark.parametrize("start", STARTS)
def test_indices_that_are_ours_are_not_read_again(start: int) -> None:
    guest = GuestConsole(start)
    page = ConsolePage(guest.page)
    guest["out_cons"] = start + 1000
    guest["in_prod"] = start - 5
    guest.memory[1024:3072] = b"0123456789abcdef" * 128
    guest["out_prod"] = start + 10
    assert len(page.read()) == 10
    assert guest["out_cons"] == (start + 10) & 0xFFFFFFFF
    assert page.write(b"abc") == 3
    assert guest["in_prod"] == (start + 3) & 0xFFFFFFFF


def test_one_look_takes_one_ring_at_most() -> None:
    guest = GuestConsole()
    page = ConsolePage(guest.page)
    guest["out_prod"] = OUT_SIZE
    assert len(page.read(1 << 30)) == OUT_SIZE
    assert page.read() == b""


def test_the_guest_sees_that_it_is_served() -> None:
    guest = GuestConsole()
    guest.memory[3088] = 1
    ConsolePage(guest.page)
    assert guest.memory[3088] == 0


def test_closing_lets_go_of_the_page() -> None:
    guest = GuestConsole()
    page = ConsolePage(guest.page)
    guest.put(b"late")
    page.close()
    guest.close()
    assert page.read() == b""
