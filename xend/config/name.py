"""Names of domains.

Xen itself bounds them by what the store and the file system take.  Console logs and saved configurations are
files that are called so, in which a name must leave room for suffixes.
"""

__all__ = ["MAX_NAME_BYTES", "name_complaint"]

MAX_NAME_BYTES = 200


def name_complaint(name: str, digits: str = "a domid") -> str | None:
    """What is wrong with a domain's name, as "expected ..."; None: nothing.

    digits: what digits alone would mean.
    """
    if not name:
        return "expected a name that is not empty"
    if any("\ud800" <= character <= "\udfff" for character in name):
        return "expected a name in UTF-8"
    if "/" in name or not name.isprintable():
        return "expected a name without / and control characters"
    if name != name.strip() or name.startswith(("-", ".")):
        return "expected a name that neither begins with -, . or a blank nor ends with a blank"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"expected at most {MAX_NAME_BYTES} bytes"
    if name.isdigit():
        return f"expected more than digits, which mean {digits}"
    if name == "Domain-0":
        return "expected another name: this is dom0's"
    return None
