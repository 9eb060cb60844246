"""A Debian that is not this machine's, for dom0: unpacked packages, and this project built among them.

Packages are unpacked and not installed, so what their scripts would do and dom0 needs is done here.  Nothing
of this machine's own Debian is changed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.xen.userland import VERSION, Userland

MIRROR = "http://deb.debian.org/debian"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
TOP = Path(__file__).parents[2]
#: With all that they depend on.  What every Debian has is not among what they depend on.
PACKAGES = """
    base-files base-passwd bash bsdextrautils bsdutils coreutils dash debianutils diffutils findutils gawk
    grep gzip hostname libc-bin login mount ncurses-base procps sed tar util-linux
    binutils bridge-utils busybox-static gcc iproute2 iputils-ping kmod libc6-dev make nftables pkg-config
    python3 python3-dev python3-pip python3-venv
    e2fsprogs grub-xen-host qemu-system-xen qemu-utils
    libxen-dev xen-hypervisor-{version}-amd64 xen-utils-{version} xen-utils-common xenstore-utils
"""
#: Ours to build and to run with, from PyPI, as its Debian's own may be older than what we need.
PYTHON_PACKAGES = (
    "setuptools>=77",
    "Cython>=3.1",
    "trio>=0.27",
    "msgpack>=1.0.5",
    "sortedcontainers>=2.4",
    "attrs>=23",
)
#: At the top of the project: what is this machine's own.
NOT_COPIED = (".git", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache", "build", "xend.egg-info")
#: What setuptools leads a program to this project by costs each start time, as the Makefile says.
PATH_FILE = "xend.pth"
#: Folders whose bytecode dom0 reads: it can write none, and without it each start of a program compiles all
#: that it loads, for many seconds under emulation.
LIBRARIES = ("/usr/lib/python3", "/usr/lib/python{version}", f"/usr/lib/xen-{VERSION}/lib/python")
OURS = ("xenstore", "xend", "clients", "tests")
#: pip does not start without certificates, though it fetches nothing in there.
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
#: What packages' scripts would make: name and where it leads.
LINKS = {"usr/bin/awk": "gawk", "var/run": "/run", "var/lock": "/run/lock"}
COPIES = {
    "etc/passwd": "usr/share/base-passwd/passwd.master",
    "etc/group": "usr/share/base-passwd/group.master",
}
FOLDERS = ("run", "var/log/xen", "var/lib/xen", "sys", "proc", "dev")
#: An unpacking, a translation of all compiled modules.
LIMIT_S = 3600


def prepare(userland: Userland) -> None:
    """Have it complete, with this project as it is now.  Minutes at first, later seconds.

    Raises:
        OSError, subprocess.SubprocessError: what cannot be fetched or built, and what said so.
    """
    if not userland.root.exists():
        _fetch(userland)
    _copy_project(userland.root)
    _build(userland.root)


def _fetch(userland: Userland) -> None:
    """Leave its root complete or not at all."""
    folder = userland.root.parent
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    sources, status = folder / "sources.list", folder / "status"
    sources.write_text(f"deb [signed-by={KEYS}] {MIRROR} {userland.suite} main\n")
    status.touch()
    options = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": status,
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
    }
    apt = [
        "apt-get",
        *(word for name, value in options.items() for word in ("-o", f"{name}={value}")),
        "-qq",
        "-y",
    ]
    packages = PACKAGES.format(version=VERSION).split()
    _run(*apt, "update")
    _run(*apt, "--download-only", "--no-install-recommends", "install", *packages)
    unfinished = folder / "root.new"
    unfinished.mkdir(exist_ok=True)
    archives = sorted((folder / "cache/archives").glob("*.deb"))
    # The one with the links /bin and /lib, which others' files go through, comes first.
    for archive in sorted(archives, key=lambda path: not path.name.startswith("base-files_")):
        _run("dpkg", "-x", str(archive), str(unfinished))
    _complete(unfinished)
    unfinished.rename(userland.root)


def _complete(root: Path) -> None:
    """Do what the packages' own scripts would."""
    for name, target in LINKS.items():
        if (root / name).is_dir() and not (root / name).is_symlink():
            (root / name).rmdir()
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target)
    for name, source in COPIES.items():
        (root / name).write_bytes((root / source).read_bytes())
    for name in FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    if CERTIFICATES.exists():
        (root / CERTIFICATES.relative_to("/")).write_bytes(CERTIFICATES.read_bytes())


def _copy_project(root: Path) -> None:
    """At the same place as here.

    Only what changed is written, and so built: a dom0 that another worker booted reads it there.
    """
    place = root / TOP.relative_to("/")
    here = set(_files(TOP))
    for name in here:
        source, target = TOP / name, place / name
        if not target.exists() or _looks(source) != _looks(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copy2(source, target)
    for name in set(_files(place)) - here:
        (place / name).unlink()


def _files(top: Path) -> Iterator[str]:
    """Of the project: not what is built, such as the C of its Cython, and not what tools keep."""
    for folder, folders, names in os.walk(top):
        left_out = NOT_COPIED if folder == str(top) else ()
        folders[:] = [name for name in folders if name not in (*left_out, "__pycache__")]
        built = (".so", ".c") if folder.startswith(f"{top}/cython") else (".so",)
        yield from (os.path.relpath(f"{folder}/{name}", top) for name in names if not name.endswith(built))


def _looks(path: Path) -> tuple[int, int, int]:
    """Equal for a file and its copy."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_mode


def _build(root: Path) -> None:
    """The compiled modules and the programs, in an environment at the place of the one that runs this."""
    version = os.readlink(root / "usr/bin/python3").removeprefix("python")
    environment = root / Path(sys.prefix).relative_to("/")
    site = environment / f"lib/python{version}/site-packages"
    if not (site / "trio").exists():
        platforms = ("--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_28_x86_64")
        pip = (sys.executable, "-m", "pip", "install", "-q", "--target", str(site), "--only-binary=:all:")
        _run(*pip, "--python-version", version, *platforms, *PYTHON_PACKAGES)
    python = f"{sys.prefix}/bin/python"
    libraries = " ".join(LIBRARIES).format(version=version)
    steps = [
        f"cd {TOP}",
        "unset ${!PIP_@} ${!SSL_@} ${!PYTHON@}",
        "export PATH=/usr/bin:/usr/sbin LC_ALL=C.UTF-8 XEND_REQUIRE_XEN=1",
        "[ -e /etc/ld.so.cache ] || ldconfig",  # Python looks there for a library, or has gcc look
        f"[ -e {python} ] || python3 -m venv --without-pip --system-site-packages {sys.prefix}",
        f"{python} -W ignore setup.py -q build_ext --inplace",
        f"{python} -W ignore -m compileall -q {libraries} {sys.prefix}/lib {' '.join(OURS)}",
    ]
    installed = site / PATH_FILE
    if not installed.exists():
        steps.append(
            f"{python} -m pip install -q --no-index --no-deps --no-build-isolation --no-cache-dir -e ."
        )
    inside = f"exec chroot {root} /bin/bash -ec '{'; '.join(steps)}'"
    mounts = f"mount --rbind /dev {root}/dev; mount -t proc proc {root}/proc"
    _run("unshare", "--mount", "bash", "-ec", f"{mounts}; {inside}")
    if not installed.exists():
        for finder in site.glob("__editable__*xend*"):
            finder.unlink()
        installed.write_text(f"{TOP}\n{TOP}/clients\n")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)[:200]} failed: {done.stderr.strip()[-2000:]}")
