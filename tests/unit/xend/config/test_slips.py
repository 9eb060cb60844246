"""What people write who mean something else, or copied it: the line that is wrong, and what they are told."""

import pytest

from tests.unit.xend.config.conftest import complaint
from xend.config.domain import parse
from xend.config.problem import ConfigError
from xend.config.slips import COMMENTS

ASSIGNMENT = "an assignment is NAME = VALUE"
QUOTES = "texts stand in quotes"
BLANK = "it looks like a blank, or like nothing, and is none: type it anew"
LOOKALIKE = "quotes are ' and \"; this sign only looks like one, as in text of web pages and of mail"
SIZES = "sizes are numbers of MiB, without a unit: 1024 is 1 GiB"
TEMPLATE = "this looks like a template that nobody has filled in: nothing is put in place of names here"
COMMA = "a comma is missing before it"
NETBSD = "a NetBSD guest calls its disks xbd0, xbd1 ... by their order; here they are 0x0, 0x1 ..."

#: Lines, and of each that is wrong its number and the hint.
SLIPS = [
    ("name = “a”", [(1, LOOKALIKE)]),
    ("extra = 'a' // a comment", [(1, COMMENTS)]),
    ("// a comment", [(1, COMMENTS)]),
    ("/* a\n * comment */", [(1, COMMENTS)]),
    ("vcpus = 2 -- two", [(1, COMMENTS)]),
    ("disk = [ 'phy:/a,xvda,w', // first\n]", [(1, COMMENTS)]),
    ("name = „a“\nextra = ‘b’", [(1, LOOKALIKE), (2, LOOKALIKE)]),
    ("name\u00a0= 'a'", [(1, BLANK)]),
    ("name = 'a'\n\u200bmemory = 1", [(2, BLANK)]),
    ("name: a\nmemory: 256", [(1, ASSIGNMENT), (2, ASSIGNMENT)]),
    ("name => 'a'\nmemory == 2", [(1, ASSIGNMENT), (2, ASSIGNMENT)]),
    ("name=foo\nmemory=256\nkernel=/boot/k", [(1, QUOTES), (3, QUOTES)]),
    ("memory = 1G\nmaxmem = 512MiB", [(1, SIZES), (2, SIZES)]),
    ("memory = ${MEM}", [(1, TEMPLATE)]),
    ("memory = @MEM@\nvcpus = %VCPUS%\nmaxmem = <MiB>", [(1, TEMPLATE), (2, TEMPLATE), (3, TEMPLATE)]),
    ("disk = [ 'phy:/a,xvda,w'\n'phy:/b,xvdb,w' ]", [(2, COMMA)]),
    ("cpus = [ 1 2 ]\nvif = [ '' '' ]", [(1, COMMA), (2, COMMA)]),
    ("'vcpus' = 1", [(1, f"names stand without quotes: {ASSIGNMENT}")]),
    ("\"vcpus\": 1", [(1, f"names stand without quotes: {ASSIGNMENT}")]),
    ("[vm]\nvcpus = 1", [(1, f"there are no sections: {ASSIGNMENT}")]),
    ("device-model = 'x'", [(1, f"names have no -, but _: {ASSIGNMENT}")]),
    ("export vcpus=1\nset memory = 1", [(1, ASSIGNMENT), (2, ASSIGNMENT)]),
    ("vcpus = {{ cpu }}\nmemory = {{ ram }}", [(1, TEMPLATE), (2, TEMPLATE)]),
    ("vif = [\n{%- for each in interfaces %}\n'x',\n{%- endfor %}\n]", [(2, TEMPLATE)]),
    ("vcpus = <%= cpu %>", [(1, TEMPLATE)]),
    ("pae = yes\nlocaltime = True\nnomigrate = false",
     [(1, "1 means yes, and 0 no"), (3, "1 means yes, and 0 no")]),
    ("altp2m = on\nfirmware = Off", [(1, QUOTES), (2, QUOTES)]),
    ("Name = 'a'\nMEMORY = 256\nOVM_name = 'x'", [(1, "did you mean name?"), (2, "did you mean memory?")]),
    ("# libvirt\n<domain type='xen'>\n</domain>",
     [(2, "this looks like XML; of libvirt's, virsh domxml-to-native xen-xl makes a configuration")]),
    ("(domain\n (name foo))", [(1, f"this looks like an S-expression of the old xend's; {ASSIGNMENT}")]),
    ("{ 'name': 'foo' }", [(1, f"this looks like JSON; {ASSIGNMENT}")]),
    ("type = 'PVH'", [(1, "did you mean pvh?")]),
    ("on_crash = 'Destroy'", [(1, "did you mean destroy?")]),
    ("disk = [ 'phy:/a,xvda,W' ]", [(1, "did you mean w?")]),
    ("disk = [ 'phy:/a,/dev/xvda1,w' ]", [(1, "did you mean xvda1?")]),
    ("disk = [ 'phy:/a,vda,w' ]", [(1, "did you mean xvda?")]),
    ("disk = [ 'phy:/a,XVDA,w' ]", [(1, "did you mean xvda?")]),
    ("disk = [ 'phy:/a,xbd0d,w' ]", [(1, NETBSD)]),
    ("disk = [ 'phy:/a,frob,w' ]", [(1, None)]),
    ("vif = [ 'mac=00-16-3e-00-00-01' ]", [(1, "did you mean 00:16:3e:00:00:01?")]),
    ("vif = [ 'mac=00:16:3e:XX:XX:XX' ]", [(1, "without mac= one is made up")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SLIPS)
def test_a_slip_is_told_where_it_is_and_what_was_meant(
    text: str, expected: list[tuple[int, str | None]]
) -> None:
    text += "\n" if "kernel=" in text else "\nkernel = '/k'\n"
    error = complaint(lambda: parse(text, source="foo", name="foo", directory="/"))
    assert isinstance(error, ConfigError)
    assert [(each.place.line, each.hint) for each in error.problems] == expected
