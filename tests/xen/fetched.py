"""A Debian that is not this machine's, for dom0: unpacked packages, and this project built among them.

Packages are unpacked and not installed, so what their scripts would do and dom0 needs is done here.  Nothing
of this machine's own Debian is changed.
"""

import os
import subprocess
import sys
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
    """At the same place as here, with the C that is made of its Cython."""
    place = root / TOP.relative_to("/")
    place.mkdir(parents=True, exist_ok=True)
    without = [f"--exclude=./{name}" for name in (".git", ".venv", "build", ".*_cache")]
    packed = subprocess.Popen(
        ["tar", "-C", str(TOP), "-c", *without, "--exclude=*.so", "--exclude=__pycache__", "."],
        stdout=subprocess.PIPE,
    )
    subprocess.run(["tar", "-C", str(place), "-x"], stdin=packed.stdout, check=True, timeout=LIMIT_S)
    if packed.wait(LIMIT_S):
        raise OSError(f"tar of {TOP} failed")


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
    steps = [
        f"cd {TOP}",
        "unset ${!PIP_@} ${!SSL_@}",
        "export PATH=/usr/bin:/usr/sbin LC_ALL=C.UTF-8 XEND_REQUIRE_XEN=1",
        f"python3 -m venv --without-pip --system-site-packages {sys.prefix}",
        f"{python} -W ignore setup.py -q build_ext --inplace",
    ]
    if not (environment / "bin/xend").exists():
        steps.append(
            f"{python} -m pip install -q --no-index --no-deps --no-build-isolation --no-cache-dir -e ."
        )
    inside = f"exec chroot {root} /bin/bash -ec '{'; '.join(steps)}'"
    mounts = f"mount --rbind /dev {root}/dev; mount -t proc proc {root}/proc"
    _run("unshare", "--mount", "bash", "-ec", f"{mounts}; {inside}")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)[:200]} failed: {done.stderr.strip()[-2000:]}")
