"""The tables of the running release's structures, against the headers of Xen that are installed here.

A C program says where each field is, how large it is, and how large each structure.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.peers.daemons import lacking
from xend.hypervisor.xen import layouts
from xend.hypervisor.xen.layouts import Layout, Release, release_of

HEADERS = Path("/usr/include")
#: The sizes of what is not read to its end.
CUT_SHORT = {"xen_domctl_getdomaininfo"}
#: Parts of another layout's structure.
PARTS = (layouts.SCHEDULER_VCPUS, layouts.FLASK_LOAD)

PROGRAM = """
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/version.h>
#include <xen/event_channel.h>
#include <xen/physdev.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/hypfs.h>
#include <xen/xsm/flask_op.h>

int main(void)
{
    printf("domctl %d\\n", XEN_DOMCTL_INTERFACE_VERSION);
    printf("sysctl %d\\n", XEN_SYSCTL_INTERFACE_VERSION);
%s
    return 0;
}
"""


def installed_release() -> Release | None:
    """That of the headers, by the version of the package that has them."""
    done = subprocess.run(
        ["pkg-config", "--modversion", "xencontrol"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        return None
    major, minor = done.stdout.split(".")[:2]
    return release_of(int(major), int(minor))


@pytest.fixture(scope="module")
def release() -> Release:
    for program in ("gcc", "pkg-config"):
        if shutil.which(program) is None:
            lacking(f"{program} is not installed")
    if not (HEADERS / "xen/domctl.h").exists():
        lacking("Xen's headers are not installed (libxen-dev)")
    found = installed_release()
    if found is None:
        lacking("the installed headers are of no release of Xen that is known")
    return found


@pytest.fixture(scope="module")
def told(release: Release, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    """What the program says: numbers by name."""
    place = tmp_path_factory.mktemp("layouts")
    lines = []
    for layout in layouts_of(release):
        lines.append(f'    printf("{layout.name} %zu\\n", sizeof(struct {layout.name}));')
        lines += [
            f'    printf("{layout.name}.{field} %zu %zu\\n", offsetof(struct {layout.name}, {field}), '
            f"sizeof(((struct {layout.name} *)0)->{field}));"
            for field in layout.places()
        ]
    (place / "program.c").write_text(PROGRAM.replace("%s", "\n".join(lines)))
    subprocess.run(["gcc", "-o", place / "program", place / "program.c"], check=True)
    output = subprocess.run([place / "program"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in output.splitlines()]
    return {name: [int(word) for word in words] for name, *words in rows}


def layouts_of(release: Release) -> list[Layout]:
    common = [value for value in vars(layouts).values() if isinstance(value, Layout)]
    differing = [release.create, release.physinfo, release.irq_permission]
    return [layout for layout in common if not is_private(layout)] + differing


def is_private(layout: Layout) -> bool:
    """Whether it is one of those that differ, of which the release has its own."""
    return any(layout is value for name, value in vars(layouts).items() if name.startswith("_"))


@pytest.mark.peer
def test_versions(release: Release, told: dict[str, list[int]]) -> None:
    assert [told["domctl"], told["sysctl"]] == [[release.domctl], [release.sysctl]]


@pytest.mark.peer
def test_fields(release: Release, told: dict[str, list[int]]) -> None:
    ours = {
        f"{layout.name}.{field}": list(place)
        for layout in layouts_of(release)
        for field, place in layout.places().items()
    }
    assert len(ours) > 100
    assert ours == {name: told[name] for name in ours}


@pytest.mark.peer
def test_sizes(release: Release, told: dict[str, list[int]]) -> None:
    ours = {
        layout.name: [layout.size]
        for layout in layouts_of(release)
        if layout not in PARTS and layout.name not in CUT_SHORT
    }
    # What is read of the last bytes does not matter where alignment ends a structure.
    assert ours == {name: told[name] for name in ours}
    assert told["xen_domctl_getdomaininfo"] == [release.domain_info_size]
