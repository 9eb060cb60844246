"""How scripts of collectors and administrators read xl and xentop, each in its own way, on a simulated host.

The ways are those of a shell plugin of munin's, Pandora FMS, a Zabbix template, an exec input of telegraf's,
conky, osstest and a kexec script, whose lines are written anew here; awk and sed are the real ones.
"""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.manager.place import Place
from tests.peers.daemons import need

#: What a script prints, as lines of words.
Run = Callable[[str], list[list[str]]]


@pytest.fixture
def run(host: Place, tmp_path: Path) -> Run:
    need(Path("awk"), Path("sed"))
    for name in ("web-1", "db.x"):
        host.create(name)
    for program in ("xl", "xm", "xentop"):
        (tmp_path / program).symlink_to(host.program(program))

    def run(script: str) -> list[list[str]]:
        environment = {**host.environment, "PATH": f"{tmp_path}:/usr/bin:/bin"}
        done = subprocess.run(
            ["/bin/sh", "-ec", script],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, ""), done
        return [line.split() for line in done.stdout.splitlines()]

    return run


#: WEB and DB stand for the two domids.
LISTS = [
    ("""xl list | awk 'NR > 2 { print $1 }'""", [["web-1"], ["db.x"]]),
    ("""xl list | awk '!/^Domain-0 |^Name / { print $2 }'""", [["WEB"], ["DB"]]),
    ("""xl list | awk '{ if ($1 == "db.x") print $2 }'""", [["DB"]]),
    ("""xl list | sed 1d | awk '{ print $1 }'""", [["Domain-0"], ["web-1"], ["db.x"]]),
    ("""xl list | tail -n +3 | tr -s ' \\t' ' ' | cut -d' ' -f1,2""", [["web-1", "WEB"], ["db.x", "DB"]]),
    ("""xm list | grep -v VCPUs | awk '{ print $1 }'""", [["Domain-0"], ["web-1"], ["db.x"]]),
    ("""xl list db.x | awk '/^db.x/ { print $2, $4 }'""", [["DB", "1"]]),
    ("""xl list | { read -r title; while read -r name id mem cpus more; do echo $name $id $cpus; done; }""",
     [["Domain-0", "0", "4"], ["web-1", "WEB", "1"], ["db.x", "DB", "1"]]),
    ("""xl list --long | grep -c '"domid"'""", [["3"]]),
    ("""xl vm-list | awk 'NR > 1 { print $3 }'""", [["Domain-0"], ["web-1"], ["db.x"]]),
    ("""xl vcpu-list | awk 'NR > 1 && $2 == WEB { print $1, $3 }'""", [["web-1", "0"]]),
    ("""xl network-list web-1 | awk 'NR > 1 { print $1, $2 }'""", [["0", "0"]]),
    ("""xl block-list web-1 | awk 'NR > 1 { print $1 }'""", [["0"]]),
    ("""xl domid web-1; xl domname DB; xl uptime web-1 | awk 'NR > 1 { print $1, $2 }'""",
     [["WEB"], ["db.x"], ["web-1", "WEB"]]),
]  # fmt: skip


INFO = [
    ("""xl info | awk '/^xen_version/ { print $3 }'""", r"4\.\d+.*"),
    ("""xl info | awk '/^free_memory/ { print $3 }'""", r"\d+"),
    ("""xl info | awk '$1 == "total_memory" { print "total.value", $3 }'""", r"total\.value \d+"),
    ("""xl info | awk '/^max_cpu_id/ { print $3 }'""", r"\d+"),
    ("""xl info | grep ^nr_cpus | cut -d: -f2""", r"\d+"),
    ("""xl info | awk -F ':' '/^xen_commandline/ { print $2 }'""", r".*dom0_mem=.*"),
    ("""xl info | sed -n 's/^xen_major *: //p'""", r"4"),
    ("""xl info xen_scheduler; xl info free_memory | tr -d a-z""", r"credit2? \d+"),
]


def test_lists_and_facts_about_the_host(run: Run) -> None:
    ((web,), (db,)) = run("xl domid web-1; xl domid db.x")

    def filled(text: str) -> str:
        return text.replace("WEB", web).replace("DB", db)

    for script, expected in LISTS:
        found = [[filled(word) for word in words] for words in expected]
        assert run(filled(script)) == found, script
    for script, pattern in INFO:
        printed = " ".join(" ".join(words) for words in run(script))
        assert re.fullmatch(pattern, printed), (script, printed)


NAMES = {"Domain-0", "web-1", "db.x"}
#: Pandora takes the last third of three looks, telegraf passes over the first look, conky cuts with sed.
TOPS = [
    """xentop -f -b -i 3 -d 0.1 > top; lines=$(wc -l < top)
    tail -n $((lines / 3 - 1)) top | awk '{ print $1, $3, $4 }'""",
    """xentop -b -f '-d 0.1' -i2 |
    awk '$1 == "NAME" { looks++; next } looks == 2 { print $1, $3 "i", $4, $11 "i" }'""",
    r"""xentop -f -b -i2 -d0.1 | tail -n+2 | sed -n '/NAME/,$ p' | sed 1d |
    sed -E -n 's/^\s*([^ ]+)\s+([^ ]+)\s+([^ ]+)\s+([^ ]+)\s+([^ ]+)\s+.*$/\1 \4/p'""",
]


def test_the_load_of_domains(run: Run) -> None:
    for script in TOPS:
        assert {words[0] for words in run(script)} == NAMES, script
    # Zabbix asks for everything, and takes rows by their words.
    lines = run("xentop -f -b -i2 -d 0.1 -r -v -n -x")
    titles = [place for place, words in enumerate(lines) if words[0] == "NAME"]
    assert len(titles) == 6
    assert {lines[place + 1][0] for place in titles} == NAMES
    assert {words[0] for words in lines} >= {"VCPUs(sec):", "Net0", "VBD"}
