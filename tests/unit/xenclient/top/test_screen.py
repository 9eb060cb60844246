"""What stands on the screen, and what keys do to it."""

import pytest

from tests.unit.xenclient.top.answers import HOST, answer, domain, vif
from xenclient.cli.top.choices import Choices
from xenclient.cli.top.columns import COLUMNS
from xenclient.cli.top.figures import figures
from xenclient.cli.top.screen import ACTIVE, BOLD, columns_of, frame
from xenclient.cli.top.view import ENTER, ERASE, ESCAPE, View

NAMES = ["Domain-0", "web", "db", "Mail", "日本語のサーバ", "dying-one", "idle"]
DOMAINS = [
    domain(0, "Domain-0", running=True, blocked=False, max_memory_kib=None, cpu_time_ns=9 * 10**9),
    domain(
        1, "web", running=True, blocked=False, cpu_time_ns=50 * 10**9, memory_kib=1 << 20,
        vifs=[vif(0, *range(8))],
    ),
    domain(2, "db", cpu_time_ns=7 * 10**9),
    domain(3, "Mail", blocked=False, shutdown=True, shutdown_reason=3),
    domain(4, "日本語のサーバ", blocked=False, paused=True),
    domain(5, "dying-one", blocked=False, dying=True),
    domain(6, "idle", blocked=False),
]  # fmt: skip
ANSWER = answer(1, *DOMAINS)


def text(view: View, height: int = 24, width: int = 80) -> list[str]:
    lines = frame(figures(ANSWER, None), HOST, view, height, width, "12:34:56")
    return ["".join(piece for piece, _ in line) for line in lines]


def names(view: View, width: int = 80) -> list[str]:
    return [line.split()[0] for line in text(view, width=width)[4:-1] if line.split()]


def test_the_head() -> None:
    lines = text(View(Choices()), width=170)
    assert lines[0] == "xentop - 12:34:56   Xen 4.17.7"
    assert lines[1] == ("7 domains: 2 running, 1 blocked, 1 paused, 0 shutdown, 1 crashed, 1 dying")
    assert lines[2] == "Mem: 16777216k total, 8388608k used, 8388608k free    CPUs: 8 @ 2400MHz"
    assert lines[3].split() == [column.title for column in COLUMNS]
    assert lines[-1].strip() == "Delay  Networks  vBds  VCPUs  Repeat header  Full names  Sort order  Quit"


@pytest.mark.parametrize("width", [1, 10, 17, 40, 80, 100, 132, 162, 300])
@pytest.mark.parametrize("height", [1, 3, 5, 8, 24])
@pytest.mark.parametrize("shift", [0, 5, 17])
def test_it_fits_any_screen(width: int, height: int, shift: int) -> None:
    view = View(Choices())
    view.shift = shift
    view.choices.networks = True
    lines = text(view, height, width)
    assert len(lines) == height
    assert all(columns_of(line) <= width for line in lines)


def test_a_narrow_screen_keeps_what_matters() -> None:
    header = text(View(Choices()), width=80)[3].split()
    assert header[:4] == ["NAME", "STATE", "CPU(%)", "MEM(k)"]
    assert {"MEM(k)", "NETTX(k)", "NETRX(k)"} <= set(header)
    assert not {"SSID", "VBD_OO", "MAXMEM(%)"} & set(header)
    assert text(View(Choices()), width=20)[3].split() == ["NAME", "CPU(%)"]


def test_columns_are_scrolled_sideways() -> None:
    view = View(Choices())
    for _ in range(3):
        view.press("right")
    assert text(view, width=40)[3].split() == ["NAME", "MEM(k)", "MEM(%)", "MAXMEM(k)"]
    for _ in range(40):
        view.press("right")
    assert text(view, width=40)[3].split() == ["NAME", "SSID"]
    for _ in range(40):
        view.press("left")
    assert view.shift == 0


ORDERS = {
    0: ["db", "Domain-0", "dying-one", "idle", "Mail", "web", "日本語のサ"],
    1: ["dying-one", "db", "Mail", "日本語のサ", "Domain-0", "web", "idle"],
    2: ["web", "Domain-0", "db", "Mail", "日本語のサ", "dying-one", "idle"],
    4: ["web", "Domain-0", "db", "Mail", "日本語のサ", "dying-one", "idle"],
    6: ["Domain-0", "web", "db", "Mail", "日本語のサ", "dying-one", "idle"],
}


@pytest.mark.parametrize("presses", ORDERS)
def test_sorting(presses: int) -> None:
    view = View(Choices())
    for _ in range(presses):
        view.press("s" if presses % 2 else "S")
    assert names(view, 170) == ORDERS[presses]
    looks = [looks for line in frame(figures(ANSWER, None), HOST, view, 24, 170, "") for _, looks in line]
    assert looks.count(BOLD) == (1 if presses == 0 else 8)


def test_after_the_last_column_comes_the_first() -> None:
    view = View(Choices())
    for _ in COLUMNS:
        view.press("s")
    assert view.sort is COLUMNS[0]


def test_scrolling_stays_within_the_domains() -> None:
    view = View(Choices())
    view.press("up")
    assert names(view) == ORDERS[0]
    view.press("down")
    view.press("down")
    assert names(view) == ORDERS[0][2:]
    view.press("page down")
    assert names(view) == ORDERS[0][-1:]
    view.press("up")
    assert names(view) == ORDERS[0][-2:]
    view.press("home")
    assert names(view) == ORDERS[0]


@pytest.mark.parametrize(
    ("key", "attribute"),
    [("n", "networks"), ("B", "vbds"), ("v", "vcpus"), ("R", "repeat_header"), ("f", "full_name")],
)
def test_toggles(key: str, attribute: str) -> None:
    view = View(Choices())
    for is_on in (True, False, True):
        view.press(key)
        assert getattr(view.choices, attribute) is is_on
    looks = [looks for _, looks in frame(figures(ANSWER, None), HOST, view, 24, 80, "")[-1]]
    assert looks.count(ACTIVE) == 1
    assert view.look_now is (key == "v")


def test_lines_below_a_domain_and_the_header_before_each() -> None:
    view = View(Choices())
    view.press("n")
    view.press("r")
    lines = text(view, 40, 170)
    (place,) = [number for number, line in enumerate(lines) if line.startswith("Net0 RX:")]
    assert lines[place - 1].split()[0] == "web"
    assert sum(line.split()[:2] == ["NAME", "STATE"] for line in lines) == 7


def test_full_names_are_not_cut() -> None:
    view = View(Choices())
    view.press("f")
    assert "日本語のサーバ" in names(view)


@pytest.mark.parametrize(
    ("keys", "delay_s", "trouble"),
    [
        (["d", "1", "2", ENTER], 12.0, False),
        (["D", "0", ".", "5", "x", ENTER], 0.5, False),
        (["d", "1", "2", ERASE, ENTER], 1.0, False),
        (["d", "7", ESCAPE], 3.0, False),
        (["d", ENTER], 3.0, False),
        (["d", "0", ENTER], 3.0, True),
        (["d", *"99999999999999", ENTER], 3.0, True),
    ],
)
def test_the_delay_is_typed(keys: list[str], delay_s: float, trouble: bool) -> None:
    view = View(Choices())
    for key in keys[:-1]:
        view.press(key)
        assert view.prompt is not None
    assert text(view)[-1].startswith("Seconds between two looks, now 3: ")
    view.press(keys[-1])
    assert (view.choices.delay_s, view.prompt, bool(view.trouble), view.ended) == (
        delay_s,
        None,
        trouble,
        False,
    )


@pytest.mark.parametrize("key", ["q", "Q", ESCAPE])
def test_quitting(key: str) -> None:
    view = View(Choices())
    view.press("x")  # means nothing
    view.press("resize")
    assert not view.ended
    view.press(key)
    assert view.ended


def test_trouble_is_told_beside_the_time_of_the_last_figures() -> None:
    view = View(Choices())
    view.trouble = "since 12:34:56 no figures: xend is gone"
    assert text(view, width=64)[0].endswith("Xen 4.17.7   since 12:34:56 no figures: xend")
