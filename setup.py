"""The compiled modules: cython/PACKAGE/_NAME.pyx is PACKAGE._NAME.  All else stands in pyproject.toml."""

import os
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

    def _cythonize(self) -> list[Extension]:
        """The modules as C, with the headers that they include; what they cimport is found by Cython."""
        from Cython.Build import cythonize

        try:
            return cythonize(self.extensions, nthreads=self.parallel, quiet=not self.verbose)
        except (NotImplementedError, OSError):  # no semaphores, without which there is no pool of processes
            return cythonize(self.extensions, quiet=not self.verbose)


def modules() -> list[Extension]:
    """One for each .pyx; those that need Xen's headers will be `optional`."""
    sources = sorted(Path("cython").glob("*/*.pyx"))
    return [Extension(f"{source.parent.name}.{source.stem}", [str(source)]) for source in sources]


if __name__ == "__main__":
    setup(ext_modules=modules(), cmdclass={"build_ext": BuildExt})
