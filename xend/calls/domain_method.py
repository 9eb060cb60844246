"""Bus methods about one domain, each a row of the table in `xend.kinds`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs

from xend.bus.kinds import DOMAIN, FLAG
from xend.bus.methods import OPERATION, Call, Method, Parameter, optional, required
from xend.calls.starter import OperationStarter
from xend.domain.targets import Targets
from xend.host import Host
from xend.operation.facts import Facts


@attrs.frozen(kw_only=True)
class DomainOperation:
    """A method that starts an operation on a guest; the method is called as the operation's kind is.

    Attributes:
        facts: the kind's class of facts.
        doing: what it does to the domain, where that is refused: "pause" for "cannot pause Domain-0".
        prepare: finds out the facts: (host, target, and the parameters that were given).
        parameters: besides the domain, and those that all operations have.
        takes_dom0: Domain-0 is no exception.
    """

    facts: type[Facts]
    doing: str
    prepare: Callable[..., Awaitable[Facts]]
    parameters: Mapping[str, Parameter] = attrs.field(factory=dict)
    takes_dom0: bool = False

    def method(self, host: Host, targets: Targets, starter: OperationStarter) -> Method:
        """The method, over a host."""

        async def call_it(
            call: Call,
            domain: str | int,
            key: str | None = None,
            wait_for: str | None = None,
            dry_run: bool = False,
            **given: Any,
        ) -> dict[str, Any]:
            async def prepare() -> Facts:
                target = await targets.find(domain)
                if not self.takes_dom0:
                    target = target.require_guest(self.doing)
                return await self.prepare(host, target, **given)

            return await starter.run(prepare, key, wait_for, dry_run)

        common = {"domain": required(DOMAIN), "dry_run": optional(FLAG), **OPERATION}
        return Method(self.facts.KIND, "operate", {**common, **self.parameters}, call_it)


@attrs.frozen(kw_only=True)
class DomainReading:
    """A method that only reads something of one domain that lives.

    Attributes:
        name: of the method: "vcpu.list".
        read: the answer: (host, target, and the parameters that were given).
        parameters: besides the domain.
    """

    name: str
    read: Callable[..., Awaitable[object]]
    parameters: Mapping[str, Parameter] = attrs.field(factory=dict)

    def method(self, host: Host, targets: Targets, starter: OperationStarter) -> Method:
        """The method, over a host."""

        async def call_it(call: Call, domain: str | int, **given: Any) -> object:
            return await self.read(host, await targets.find(domain), **given)

        return Method(self.name, "read", {"domain": required(DOMAIN), **self.parameters}, call_it)
