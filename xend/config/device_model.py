"""Options of xl.cfg(5) about a domain's device model."""

from collections.abc import Sequence

import attrs

from xend.config.settings import Settings

__all__ = ["ModelOptions", "model_options_of"]


@attrs.frozen(kw_only=True)
class ModelOptions:
    """How it is to run, if the domain's devices need one.

    Attributes:
        program: a path, or a name; None: where systems have it (xend.model.find).
        args, args_of_type: further arguments; those of the domain's type come behind all others.
        user: whom it runs as once it has begun; None: a user of xend's choice, who has nothing.
        is_restricted: dm_restrict: it gives its rights up, or the domain is not made; False: it keeps them;
            None: as far as that goes.
    """

    program: str | None = None
    args: Sequence[str] = ()
    args_of_type: Sequence[str] = ()
    user: str | None = None
    is_restricted: bool | None = None


def model_options_of(settings: Settings) -> ModelOptions:
    """From device_model_override, device_model_args, that of the type, device_model_user and dm_restrict.

    Raises:
        ConfigError.
    """
    return ModelOptions(
        program=settings.text("device_model_override") or None,
        args=tuple(word for word, _ in settings.words("device_model_args")),
        args_of_type=tuple(
            word for name in ("pv", "hvm") for word, _ in settings.words(f"device_model_args_{name}")
        ),
        user=settings.text("device_model_user") or None,
        is_restricted=settings.boolean("dm_restrict"),
    )
