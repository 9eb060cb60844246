"""xl create: the text that is sent, what is printed, what it waits for."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeConsole, FakeXend, domain
from xenclient.xend.errors import BusError

TEXT = "name = 'foo' # \u00fc\nmemory = 64\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "foo"
    path.write_text(TEXT)
    return path


def without_keys(xend: FakeXend) -> list[tuple[str, dict[str, object]]]:
    return [
        (method, {name: value for name, value in parameters.items() if name != "key"})
        for method, parameters in xend.asked
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["foo", "memory=128", "disk=file:/a,0x0,w"],
        ["-f", "foo", "memory=128", "disk=file:/a,0x0,w"],
        ["--defconfig=foo", "memory=128", "disk=file:/a,0x0,w"],
        ["memory=128", "foo", "-e", "disk=file:/a,0x0,w"],
    ],
)
def test_text_name_directory_and_assignments(xl: Xl, xend: FakeXend, config: Path, words: list[str]) -> None:
    assert xl("create", *words) == (0, "", "Parsing config from foo\n")
    expected = {
        "text": TEXT,
        "name": "foo",
        "path": str(config),
        "directory": str(config.parent),
        "extra": ["memory=128", "disk=file:/a,0x0,w"],
        "paused": False,
    }
    assert without_keys(xend) == [("domain.create", expected)]


def test_paused(xl: Xl, xend: FakeXend, config: Path) -> None:
    assert xl("create", "-qp", str(config)) == (0, "", "")
    assert xend.asked[0][1]["paused"] is True


@pytest.mark.parametrize("words", [[], ["-F"]])
def test_json_tells_which_domain_it_is(xl: Xl, xend: FakeXend, config: Path, words: list[str]) -> None:
    uuid = domain(9, "d9")["uuid"]
    xend.stream = [{"seq": 1, "kind": "domain", "what": "destroyed", "uuid": uuid}]
    status, out, err = xl("create", "-q", *words, "--json", str(config))
    assert (status, err) == (0, "")
    assert json.loads(out) == {"operation": 7, "domid": 9, "name": "d9", "uuid": uuid, "warnings": []}


def test_the_null_device_has_no_name(xl: Xl, xend: FakeXend, config: Path) -> None:
    assert xl("create", "/dev/null", "name='x'") == (0, "", "Parsing config from /dev/null\n")
    directory = str(config.parent)
    expected = {"text": "", "directory": directory, "extra": ["name='x'"], "paused": False}
    assert without_keys(xend) == [("domain.create", expected)]


def test_a_plain_name_is_looked_for_where_configurations_are_kept(
    xl: Xl, xend: FakeXend, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("XEND_CONFIG_DIR", str(tmp_path))
    assert xl("create", "foo") == (0, "", f"Parsing config from {config}\n")
    assert xl("create", "./foo")[0] == 1
    # Relative names in it are of the directory in which xl was called, not of the file's.
    assert xend.asked[0][1]["directory"] == str(tmp_path / "elsewhere")
    assert (xend.asked[0][1]["name"], xend.asked[0][1]["path"]) == ("foo", str(config))


def test_the_callers_directory_is_what_its_shell_calls_it(
    xl: Xl, xend: FakeXend, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(config.parent)
    monkeypatch.chdir(tmp_path / "link")
    for called, directory in (
        (str(tmp_path / "link"), str(tmp_path / "link")),
        ("/", os.path.realpath(config.parent)),  # an old one
        ("link", os.path.realpath(config.parent)),
        ("/no/such", os.path.realpath(config.parent)),
    ):
        monkeypatch.setenv("PWD", called)
        assert xl("create", "foo")[0] == 0
        assert xend.asked[-1][1]["directory"] == directory


def test_bytes_of_a_file_that_are_no_utf8_are_sent_as_they_are(xl: Xl, xend: FakeXend, config: Path) -> None:
    (config.parent / "latin1").write_bytes(b"\xef\xbb\xbfname='x'\r\n# f\xfcr\n")
    assert xl("create", "-q", "latin1", "extra=caf\udce9") == (0, "", "")
    assert xend.asked[0][1]["text"] == "\ufeffname='x'\r\n# f\udcfcr\n"
    assert xend.asked[0][1]["extra"] == ["extra=caf\udce9"]


WARNINGS: list[dict[str, Any]] = [
    {
        "code": "bad_config",
        "message": 'foo:2: dhcp = "dhcp" has no effect',
        "problems": [{"message": 'foo:2: dhcp = "dhcp" has no effect', "file": "foo", "line": 2}],
    },
    {"code": "bad_config", "message": 'foo:3: "memmory" has no effect', "hint": "did you mean memory?"},
]
WARNED = (
    'xl: warning: foo:2: dhcp = "dhcp" has no effect\n'
    'xl: warning: foo:3: "memmory" has no effect (did you mean memory?)\n'
)


@pytest.mark.parametrize("option", ["-q", "--dry-run", "-n", "-p"])
def test_what_is_to_be_warned_of_is_told(xl: Xl, xend: FakeXend, config: Path, option: str) -> None:
    xend.warnings = WARNINGS
    status, _, errors = xl("create", "-q", option, "foo")
    assert (status, errors) == (0, WARNED)


@pytest.mark.parametrize("option", ["-q", "--dry-run"])
def test_everything_that_is_wrong_is_told(xl: Xl, xend: FakeXend, config: Path, option: str) -> None:
    problems = [
        {"message": "foo:7: type = 'hvm': pv only", "line": 7},
        {"message": "foo:1: boot = 'dc': no", "hint": "take it out"},
    ]
    xend.fails["domain.create"] = BusError(
        "unsupported", "foo:7: type = 'hvm': pv only", {"problems": problems, "warnings": WARNINGS}
    )
    told = "xl: foo:7: type = 'hvm': pv only\nxl: foo:1: boot = 'dc': no (take it out)\n"
    assert xl("create", "-q", option, "foo") == (1, "", WARNED + told)


@pytest.mark.parametrize("option", [["-n"], ["--dryrun"]])
def test_dryrun_prints_the_configuration(xl: Xl, xend: FakeXend, config: Path, option: list[str]) -> None:
    status, text, errors = xl("create", *option, "foo")
    assert (status, errors) == (0, "Parsing config from foo\n")
    assert json.loads(text) == xend.config
    assert xend.asked[0][1]["dry_run"] is True
    assert xl("-N", "create", "foo")[:2] == (0, text)


def test_debug_prints_the_configuration_and_creates(xl: Xl, xend: FakeXend, config: Path) -> None:
    status, text, errors = xl("create", "-d", "foo")
    assert (status, text) == (0, "")
    assert json.loads(errors.removeprefix("Parsing config from foo\n")) == xend.config
    assert [parameters.get("dry_run") for _, parameters in xend.asked] == [True, None]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "create: needs a configuration file; /dev/null is one (usage: xl create FILE [KEY=VALUE ...])"),
        (
            ["nosuch"],
            "cannot read nosuch: No such file or directory "
            "(looked for here and in /usr/pkg/etc/xen, /etc/xen)",
        ),
        (["./nosuch"], "cannot read ./nosuch: No such file or directory"),
        (["."], "cannot read .: Is a directory (looked for here and in /usr/pkg/etc/xen, /etc/xen)"),
        (["/dev/zero"], "/dev/zero is longer than 1000000 bytes: no domain's configuration"),
        (
            ["foo", "bar"],
            "create: 'bar' is neither an option nor KEY=VALUE (usage: xl create FILE [KEY=VALUE ...])",
        ),
    ],
)
def test_files_that_are_none(
    xl: Xl, xend: FakeXend, config: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], error: str
) -> None:
    monkeypatch.delenv("XEND_CONFIG_DIR", raising=False)
    assert xl("create", *words) == (1, "", f"xl: {error}\n")
    assert xend.asked == []


def test_a_script_that_fails(xl: Xl, xend: FakeXend, config: Path) -> None:
    xend.fails["domain.create"] = BusError(
        "script_failed",
        "vif-bridge failed on vif 0",
        {
            "cause": "exit status 1",
            "hint": "does the bridge exist?",
            "script_output": "no\tbridge\nbr0\x1b[2J\n",
        },
    )
    assert xl("create", "-q", "foo") == (
        1,
        "",
        "xl: vif-bridge failed on vif 0: exit status 1 (does the bridge exist?)\n"
        "    no      bridge\n"
        "    br0?[2J\n",
    )


def test_the_console_is_there_before_the_domain_runs(
    xl: Xl, xend: FakeXend, config: Path, stdin_closed: None, console: tuple[FakeConsole, int]
) -> None:
    viewed, guest = console
    xend.consoles[9] = viewed
    os.write(guest, b"login: ")
    os.close(guest)
    assert xl("create", "-qc", "foo") == (0, "login: ", "")
    assert [(method, parameters.get("paused")) for method, parameters in xend.asked] == [
        ("domain.create", True),
        ("domain.unpause", None),
    ]


def test_with_its_console_and_left_paused(
    xl: Xl, xend: FakeXend, config: Path, stdin_closed: None, console: tuple[FakeConsole, int]
) -> None:
    viewed, guest = console
    xend.consoles[9] = viewed
    os.close(guest)
    assert xl("create", "-qcp", "foo") == (0, "", "")
    assert [method for method, _ in xend.asked] == ["domain.create"]


def test_without_its_console_it_runs_all_the_same(xl: Xl, xend: FakeXend, config: Path) -> None:
    xend.fails["console.attach"] = BusError("internal", "no console")
    assert xl("create", "-qc", "foo") == (1, "", "xl: no console\n")
    assert [method for method, _ in xend.asked] == ["domain.create", "domain.unpause"]


def loading(state: str, step: str, waits: bool) -> dict[str, object]:
    waiting = {"for": "its boot loader", "since_s": 0.0, "deadline_s": 120.0} if waits else None
    return {"state": state, "step_key": step, "waiting": waiting, "domid": 9}


def test_its_boot_loader_is_seen_while_it_is_made(
    xl: Xl, xend: FakeXend, config: Path, stdin_closed: None, console: tuple[FakeConsole, int]
) -> None:
    viewed, guest = console
    xend.consoles[9] = viewed
    xend.config = {"b_info": {"bootloader": "pygrub"}}
    xend.answers = {"operation.show": loading("running", "boot-loader", True)}
    config.write_text("bootloader = 'pygrub'")
    os.write(guest, b"menu, login: ")
    os.close(guest)
    assert xl("create", "-qc", "foo") == (0, "menu, login: ", "")
    (_, dry), (_, accepted), (method, again) = xend.asked
    assert dry["dry_run"]
    assert (method, accepted) == ("domain.create", {**again, "wait_for": "accepted"})
    assert again["paused"] is False


def test_a_boot_loader_that_fails_before_it_is_seen(xl: Xl, xend: FakeXend, config: Path) -> None:
    xend.config = {"b_info": {"bootloader": "pygrub"}}
    xend.answers = {"operation.show": loading("failed", "check", False)}
    config.write_text("bootloader = 'pygrub'")
    assert xl("create", "-qc", "foo")[0] == 0  # what the operation says in the end


def event(seq: int, what: str, number: int = 9) -> dict[str, object]:
    uuid = f"00000000-0000-0000-0000-{number:012}"
    return {"seq": seq, "kind": "domain", "what": what, "domid": number, "name": "d9", "uuid": uuid}


@pytest.mark.parametrize(
    ("stream", "read"),
    [
        (["created", "destroyed", "created"], 2),
        (["created", "crashed", "reaped", "created"], 3),
        (["created", "shutdown", "restarting", "destroyed", "created", "destroyed", "created"], 6),
    ],
)
def test_in_the_foreground_until_it_is_gone_for_good(
    xl: Xl, xend: FakeXend, config: Path, stream: list[str], read: int
) -> None:
    xend.stream = [event(0, "destroyed", 4), *(event(seq, what) for seq, what in enumerate(stream, 1))]
    assert xl("create", "-qF", "foo") == (0, "", "")
    assert xend.subscribed == {"kinds": ["domain"]}
    assert xend.last_event == read


def test_an_interrupt_has_it_undone(xl: Xl, xend: FakeXend, config: Path) -> None:
    xend.interrupted = True
    assert xl("create", "-q", "foo") == (130, "", "xl: interrupted; what was made is undone\n")
    (_, first), (_, again), *rest = xend.asked
    assert again == {**first, "wait_for": "accepted"}
    assert rest == [("operation.cancel", {"operation": 2}), ("operation.wait", {"operation": 2})]
