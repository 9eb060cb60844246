"""The configurations of domains, as xl list -l and create -n print them: JSON, or what xl.conf asks for."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.domains import identity, listed, named_domains
from xenclient.cli.xl.each import for_each
from xenclient.cli.xl.printing import as_text, write
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from xenclient.cli.xl.domains import Domain

#: As Xen's xl indents.
INDENT = 4


def show_configurations(call: Call) -> int:
    """Print [{domid, config}], or the text of each; a domain that ends meanwhile is left out.

    Of a domain that xend did not create, Domain-0 for one, there is what the list says.
    """
    found, status = named_domains(call)
    configurations: list[dict[str, Any]] = []

    def add(domain: Domain) -> None:
        try:
            configurations.append(call.client.call("domain.config", domain=identity(domain)))
        except BusError as error:
            if error.code == "wrong_state":
                configurations.append(_known_configuration(domain))
            elif error.code != "no_such_domain":
                raise

    status |= for_each(call, listed(call, found), add)
    if wants_sexpr(call):
        from xenclient.cli.xl.sexpr import sexpr

        write("".join(sexpr(each["domid"], each["config"]) for each in configurations))
    else:
        write(as_text(configurations, indent=INDENT) + "\n")
    return status


def configuration_text(call: Call, config: Mapping[str, Any]) -> str:
    """One configuration, of a domain that is not there yet, as `show_configurations` prints it."""
    if wants_sexpr(call):
        from xenclient.cli.xl.sexpr import sexpr

        return sexpr(-1, config)
    return as_text(config, indent=INDENT) + "\n"


def wants_sexpr(call: Call) -> bool:
    """Whether the host's xl.conf asks for another format than JSON, and the command line does not."""
    if call.json:
        return False
    try:
        settings = call.client.call("host.config")
    except BusError:
        return False  # a xend that has no such method has JSON only
    return bool(settings["output_format"] == "sxp")


def _known_configuration(domain: Domain) -> dict[str, Any]:
    """What can be said of a domain without its configuration, in the same form."""
    known = {"type": domain["type"], "name": domain["name"], "uuid": domain["uuid"]}
    memory = {"max_memkb": domain["max_memory_kib"], "target_memkb": domain["memory_kib"]}
    return {
        "domid": domain["domid"],
        "config": {"c_info": known, "b_info": {"max_vcpus": domain["max_vcpus"], **memory}},
    }
