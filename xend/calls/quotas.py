"""quota.*: what domains may take of the store (wire operations GET_QUOTA and SET_QUOTA)."""

from collections.abc import Mapping

from xenclient.store.operations import get_quota, quota_names, set_quota
from xend.bus.kinds import DOMAIN, FLAG, NUMBERS_BY_NAME
from xend.bus.methods import Call, Method, optional, required
from xend.domain.target import Target
from xend.domain.targets import Targets
from xend.errors import XendError
from xend.host import Host
from xend.refusals import explained

#: The largest value there is (xenstored's are 32 bits).
VALUE_MAX = (1 << 32) - 1


class QuotaCalls:
    """The methods, over a host; without a domain: those of all domains that have none of their own."""

    def __init__(self, host: Host, targets: Targets) -> None:
        self._host = host
        self._targets = targets

    def methods(self) -> list[Method]:
        """Both of them."""
        which = {"domain": optional(DOMAIN)}
        values = {"values": required(NUMBERS_BY_NAME), "dry_run": optional(FLAG)}
        return [
            Method("quota.list", "read", which, self.list_),
            Method("quota.set", "operate", {**which, **values}, self.set_),
        ]

    async def list_(self, call: Call, domain: str | int | None = None) -> dict[str, int]:
        target = await self._target(domain)
        return await self._values(target)

    async def set_(
        self,
        call: Call,
        values: Mapping[str, int],
        domain: str | int | None = None,
        dry_run: bool = False,
    ) -> dict[str, int]:
        target = await self._target(domain)
        now = await self._values(target)
        for name, value in values.items():
            if name not in now:
                raise XendError(
                    "bad_request", f"there is no quota {name!r}: {', '.join(now)}", domain=_name(target)
                )
            if value > VALUE_MAX:
                raise XendError("bad_request", f"quota {name} of {value}: at most {VALUE_MAX} is possible")
        domid = None if target is None else target.domid
        if not dry_run:
            with explained("change a quota of the store", _name(target)):
                for name, value in values.items():
                    await self._host.store.together(set_quota(name, value, domid))
        return {**now, **values}

    async def _target(self, domain: str | int | None) -> Target | None:
        return None if domain is None else await self._targets.find(domain)

    async def _values(self, target: Target | None) -> dict[str, int]:
        domid = None if target is None else target.domid
        with explained("read the quotas of the store", _name(target)):
            (names,) = await self._host.store.together(quota_names())
            values = await self._host.store.together(*(get_quota(name, domid) for name in names))
        return dict(zip(names, values, strict=True))


def _name(target: Target | None) -> str | None:
    return None if target is None else target.name
