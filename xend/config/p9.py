"""Directories that a domain shares with its backend's: items of `p9` of xl.cfg(5).

Source: tools/xl/xl_parse.c and libxl_9pfs.c of Xen 4.17; xen/include/public/io/9pfs.h.
"""

import os.path
import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from xend.config.called_by_number import CalledByNumber
from xend.config.fields import Fields
from xend.config.libxl import backend, backend_of, item, text
from xend.config.place import Place
from xend.config.problem import Problem

__all__ = ["P9Config", "p9_as_json", "p9_of_json", "parse_p9"]

_NEEDED = ("tag", "path", "security_model")
_KEYS = (*_NEEDED, "backend")
#: Of qemu: how it keeps the owners and modes that the guest sets.
_MODELS = ("none", "passthrough", "mapped", "mapped-xattr", "mapped-file")
_TAG = re.compile(r"[A-Za-z0-9._:@+-]{1,64}")


@attrs.frozen(kw_only=True)
class P9Config(CalledByNumber):
    """A shared directory of the configuration.

    Attributes:
        tag: what its guest mounts it by.
        path: of the directory, absolute, in the backend's domain.
        security_model: one of qemu's words.
    """

    tag: str
    path: str
    security_model: str
    backend: str = "0"


def parse_p9(
    specification: str | Sequence[str],
    place: Place,
    *,
    directory: str | None = None,
    warnings: list[Problem] | None = None,
) -> P9Config:
    """The directory that a specification means: `tag=TAG,path=PATH,security_model=none`.

    Raises:
        ConfigError: bad_config.
    """
    fields = Fields("p9", specification, place)
    fields.fill(_KEYS)
    missing = [key for key in _NEEDED if fields.get(key) is None]
    if missing:
        raise fields.error(f"it has no {missing[0]}, expected tag=TAG,path=PATH,security_model=none")
    tag = fields.get("tag")
    assert tag is not None
    if not _TAG.fullmatch(tag):
        raise fields.wrong("tag", "1 to 64 letters, digits and . _ : @ + -, as its guest mounts it by that")
    return P9Config(
        tag=tag,
        path=_path(fields, directory),
        security_model=fields.choice("security_model", _MODELS, _MODELS[0]),
        backend=fields.domain("backend"),
    )


def _path(fields: Fields, directory: str | None) -> str:
    path = fields.get("path")
    assert path is not None
    if not path.startswith("/"):
        if directory is None:
            raise fields.wrong("path", "the absolute path of a directory")
        return os.path.join(directory, path)
    return path


def p9_as_json(p9: P9Config) -> dict[str, Any]:
    """As libxl's JSON has it (libxl_device_p9)."""
    return {
        **backend(p9.backend),
        "tag": p9.tag,
        "path": p9.path,
        "security_model": p9.security_model,
    }


def p9_of_json(json: Mapping[str, Any]) -> str:
    """The inverse: the text of an item."""
    return item(**{key: text(json, key) for key in _NEEDED}, backend=backend_of(json))
