"""xl list -l: the configurations of domains, always JSON."""

from __future__ import annotations

from xenclient.cli.xl.each import for_each
from xenclient.cli.xl.listing import domains
from xenclient.cli.xl.printing import as_text, write
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.cli.xl.call import Call
    from xenclient.cli.xl.listing import Domain

#: As Xen's xl indents.
INDENT = 4


def show_configs(call: Call) -> int:
    """Print [{domid, config}]; a domain that ends meanwhile is left out.

    Of a domain that xend did not create, Domain-0 for one, there is what the list says.
    """
    found, status = domains(call)
    configs: list[object] = []

    def show(domain: Domain) -> None:
        try:
            configs.append(call.client.call("domain.config", domain=known(domain)))
        except BusError as error:
            if error.code == "wrong_state":
                configs.append(of_another(domain))
            elif error.code != "no_such_domain":
                raise

    status |= for_each(call, found, show)
    write(as_text(configs, indent=INDENT) + "\n")
    return status


def known(domain: Domain) -> int | str:
    """What tells a domain from others: between two lives it has no domid."""
    domid, uuid = domain["domid"], domain["uuid"]
    return uuid if domid is None else domid  # type: ignore[no-any-return]


def of_another(domain: Domain) -> dict[str, object]:
    """What can be said of a domain without its configuration, in the same form."""
    known = {"type": domain["type"], "name": domain["name"], "uuid": domain["uuid"]}
    memory = {"max_memkb": domain["max_memory_kib"], "target_memkb": domain["memory_kib"]}
    return {
        "domid": domain["domid"],
        "config": {"c_info": known, "b_info": {"max_vcpus": domain["max_vcpus"], **memory}},
    }
