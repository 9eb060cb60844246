"""The compiled modules: cython/PACKAGE/_NAME.pyx is PACKAGE._NAME; and programs in C.

All else stands in pyproject.toml.
"""

import os
import subprocess
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class BuildExt(build_ext):
    """Compiles what changed and what depends on it, on all processors."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def run(self) -> None:
        # Only here, so that an sdist, an installation and metadata need no Cython.
        for module, translated in zip(self.extensions, self._cythonize(), strict=True):
            module.sources, module.depends = translated.sources, translated.depends
        # Not setuptools' own run(), which compiles below build/ and copies from there: `pip install -e` has
        # another build/ than `build_ext --inplace`, so that each of the two would compile everything.
        super(build_ext, self).run()

        self._link_programs()

    def _link_programs(self) -> None:
        """The programs of C: one source, which looks at the name it was called by."""
        folder = Path("clients" if self.inplace else self.build_lib, PROGRAMS_IN)
        stale = [
            name
            for name in PROGRAMS
            if not (folder / name).exists() or (folder / name).stat().st_mtime < SOURCE.stat().st_mtime
        ]
        if stale or self.force:
            objects = self.compiler.compile([str(SOURCE)], output_dir=self.build_temp)
            for name in PROGRAMS:
                self.compiler.link_executable(objects, name, output_dir=str(folder))

    def _cythonize(self) -> list[Extension]:
        """The modules as C, with the headers that they include; what they cimport is found by Cython."""
        from Cython.Build import cythonize

        try:
            return cythonize(self.extensions, nthreads=self.parallel, quiet=not self.verbose)
        except (NotImplementedError, OSError):  # no semaphores, without which there is no pool of processes
            return cythonize(self.extensions, quiet=not self.verbose)


#: What hotplug scripts call in the place of the programs of Python, and where it lies in the package.
PROGRAMS = ("xenstore-exists", "xenstore-list", "xenstore-ls", "xenstore-read", "xenstore-write")
PROGRAMS_IN = Path("xenclient", "quick")
SOURCE = Path("native", "quick.c")

#: The one that needs Xen's headers and libraries, and by which names pkg-config knows these.
XEN_MODULE = "xend._guest"
XEN_LIBRARIES = ("xencontrol", "xenguest")


def modules() -> list[Extension]:
    """One for each .pyx, but for that of Xen's libraries where there are none."""
    sources = sorted(Path("cython").glob("*/*.pyx"))
    found = [Extension(f"{source.parent.name}.{source.stem}", [str(source)]) for source in sources]
    return [module for module in found if module.name != XEN_MODULE or with_xen(module)]


def with_xen(module: Extension) -> bool:
    """Tell a module where Xen's libraries are, and their release; False: they are not here.

    XEND_REQUIRE_XEN=1 in the environment makes an error of that, and of a module that does not compile.
    """
    module.optional = not os.environ.get("XEND_REQUIRE_XEN")
    try:
        version, *flags = (pkg_config(word) for word in ("--modversion", "--cflags", "--libs"))
    except (OSError, subprocess.CalledProcessError) as error:
        if not module.optional:
            raise SystemExit(f"{XEN_MODULE} needs pkg-config, libxenctrl and libxenguest: {error}") from error
        return False
    major, minor = version.split()[0].split(".")[:2]
    module.define_macros = [("XEND_XEN", str(int(major) * 100 + int(minor)))]
    module.extra_compile_args, module.extra_link_args = (each.split() for each in flags)
    return True


def pkg_config(word: str) -> str:
    """What it says about Xen's libraries."""
    command = [os.environ.get("PKG_CONFIG", "pkg-config"), word, *XEN_LIBRARIES]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    setup(ext_modules=modules(), cmdclass={"build_ext": BuildExt})
