"""Texts that are malformed as texts: their encoding, line ends, brackets, quotes, numbers and signs.  The
error has the line, what was found, what is accepted; tests/peers/test_xl_judges.py has what Debian's xl makes
of them.
"""

import pytest

from tests.unit.xend.config.conftest import complaint
from xend.config.domain import parse

BEFORE = "name = 'foo'\nkernel = '/netbsd'\nmemory = 32\n"
LINE = 4

#: What line LINE begins, and what of the error's message is there.
WRONG = [
    # Encoding.
    ("extra = “x”", 'found "“"'), ("extra = ‘x’", 'found "‘"'), ("extra = „x“", 'found "„"'),
    ("memory\u00a0= 64", "found \"\\xa0\""), ("memory =\u00a064", "found \"\\xa0\""),
    ("\u200bmemory = 64", "found \"\\u200b\""), ("memory = １６", 'found "１"'), ("memory = ٣", 'found "٣"'),
    ("vcpus = 1²", 'found "²"'), ("vcpus = ½", 'found "½"'), ("extra = «x»", 'found "«"'),
    # Characters that are seen nowhere.
    ("vcpus = 1\x0b", "found \"\\x0b\""), ("vcpus = 1\x00", "found a NUL"),
    ("extra = 'a\x00b'", "found a NUL"), ("# a\x00b", "found a NUL"),
    ("vcpus = 1\x1a", "found \"\\x1a\""), ("\x1a", "found \"\\x1a\""),
    ("vcpus = 1\x7f", "found \"\\x7f\""), ("extra = 'a\x01b'", "control characters"),
    ("extra = 'a\x1b[31mb'", "control characters"), ("extra = 'a\x07'", "control characters"),
    ("vcpus = \b1", "found \"\\x08\""),
    # What is not closed, or not there.
    ("vcpus =", "found the end"), ("vcpus", "found the end"), ("extra = 'a", "closing quote"),
    ("extra = 'a\\", "closing quote"), ("extra = 'a\r\nb'", "closing quote"),
    ("extra = 'a\nb'", "closing quote"),
    ("disk = [", "or ]"), ("disk = [ 'phy:/a,xvda,w'", ", or ]"), ("disk = [ 'phy:/a,xvda,w',", "or ]"),
    ("disk = [ [ 'phy:/a,xvda,w' ]", ", or ]"), ("disk = [ 'phy:/a,xvda,w", "closing quote"),
    ("vcpus = ;", 'found ";"'), ("vcpus = # one\n1", "found the end of the line"),
    ("vcpus # one\n= 1", "found the end of the line"), ("disk =\n[ 'phy:/a,xvda,w' ]", "found the end of"),
    ("disk\n= [ 'phy:/a,xvda,w' ]", "found the end of the line"),
    # Lists.
    ("disk = [ 'phy:/a,xvda,w', , ]", 'found ","'), ("disk = [ , 'phy:/a,xvda,w' ]", 'found ","'),
    ("disk = [ 'phy:/a,xvda,w' ] ]", 'found "]"'), ("disk = [ 'phy:/a,xvda,w' ]]", 'found "]"'),
    ("disk = [ 'phy:/a,xvda,w'; 'phy:/b,xvdb,w' ]", 'found ";"'), ("vif = [ ,, ]", 'found ","'),
    ("vif = [ '' '' ]", "found \"''\", expected , or ]"), ("vif = [ '' [ ] ]", 'found "[", expected , or ]'),
    ("vif = ]", 'found "]"'), ("vif = [ = ]", 'found "="'), ("vif = [ bridge=a ]", 'found "bridge"'),
    ("vif = { 'bridge=a' }", "found a set"), ("vif = ( 'bridge=a' )", "vif is a text"),
    ("vif = [ 'bridge=a' ],", "vif holds a list"), ("disk = [[ 'phy:/a,xvda,w' ]]", "disk holds a list"),
    ("disk = [ [ ] ]", "disk holds a list"), ("vif = [ 1, 2 ]", "vif holds 1"),
    ("disk = " + "[" * 33 + "]" * 33, "nested at most 32 deep"), ("vcpus = 1,0", "vcpus is a list"),
    ("vcpus = [ 1 ]", "vcpus is a list"), ("extra = [ 'a' ]", "extra is a list"),
    ("vif = 'a'", "vif is a text"),
    # Twice, and added to.
    ("memory += '64'", "memory += \"64\""), ("kernel += [ '/b' ]", "kernel += a list"),
    ("name += 1", "name += 1"),
    # Numbers.
    ("memory = -1", "memory = -1: expected a number of MiB from 1"), ("vcpus = '-1'", 'vcpus = "-1"'),
    ("vcpus = '+1'", 'vcpus = "+1"'), ("vcpus = 1L", 'found "1L"'), ("vcpus = 0x", 'found "0x"'),
    ("vcpus = 09", 'found "09"'), ("memory = 64M", 'found "64M"'), ("memory = 64 M", 'found "M"'),
    ("memory = '64M'", 'memory = "64M"'), ("memory = 64.5", "memory is 64.5"), ("memory = 5a", 'found "5a"'),
    ("memory = 0xabcdefg", 'found "0xabcdefg"'), ("memory = ff", 'found "ff"'), ("vcpus = x1", 'found "x1"'),
    ("memory = 0xx1", 'found "0xx1"'), ("memory = ''", 'memory = ""'), ("vcpus = 1 2", 'found "2"'),
    ("vcpus = 18446744073709551617", 'found "18446744073709551617"'),
    ("memory = 4294967296", "memory = 4294967296: expected a number of MiB from 1 to 16777216"),
    ("memory = 99999999999999999999999", 'found "99999999999999999999999"'),
    ("acpi = true", 'found "true"'), ("localtime = yes", 'found "yes"'), ("vnc = 'yes'", 'vnc = "yes"'),
    # Signs.
    ("vcpus 1", 'found "1", expected = or += after "vcpus"'), ("vcpus : 1", 'found ":"'),
    ("vcpus := 1", 'found ":"'), ("vcpus == 1", 'found "="'), ("vcpus => 1", 'found ">"'),
    ("vcpus = = 1", 'found "="'), ("vcpus -= 1", 'found "-"'), ("vcpus =1=2", 'found "="'),
    ("= 1", 'found "="'),
    ("vcpus = 1, maxvcpus = 2", 'found ","'), ("vcpus = 1 maxvcpus = 2", 'found "maxvcpus"'),
    ("vcpus = 1 // one", 'found "/"'), ("// one", 'found "/"'), ("/* one */", 'found "/"'),
    ("-- one", 'found "-"'), ("rem one", 'found "one"'), ("! one", 'found "!"'), ("% one", 'found "%"'),
    ("vcpus = 1 ; one", 'found the end, expected = or += after "one"'), ("[section]", 'found "["'),
    ("export vcpus=1", 'found "vcpus"'), ("set vcpus = 1", 'found "vcpus"'), ("$vcpus = 1", 'found "$"'),
    ("vcpus = ${N}", 'found "$"'), ("vcpus = {{ n }}", 'found "{"'), ("vcpus = <n>", 'found "<"'),
    ("vcpus = %N%", 'found "%"'), ("vcpus = @N@", 'found "@"'), ("vcpus = ?", 'found "?"'),
    # Texts.
    ("extra = 'a' b", 'found "b"'), ("extra = a", 'found "a"'), ("extra = console=hvc0", 'found "console"'),
    ('extra = "console=hvc0', "closing quote"), ('extra = console=hvc0"', 'found "console"'),
    ("extra = 'console=hvc0\"", "closing quote"), ("extra = `date`", 'found "`"'),
    ("extra = $(date)", 'found "$"'), ("extra = b'a'", 'found "b"'), ('extra = """a\nb"""', "control"),
    ("extra = 'a\\0b'", "no character"), ("extra = 'a\\xzz'", "found \\x in a text"),
    ("extra = 'a\\x4'", "found \\x in a text"), ("extra = '" + "a" * 2049 + "'", "at most 2048 bytes"),
    ("name = 'a\\nb'", "control characters"), ("name = '" + "a" * 201 + "'", "at most 200 bytes"),
    # Names.
    ("Vcpus = 1", 'found "Vcpus"'), ("VCPUS = 1", 'found "VCPUS"'), ("1vcpus = 1", 'found "1vcpus"'),
    ("vc pus = 1", 'found "pus"'), ("vc-pus = 1", 'found "-"'), ("vc:pus = 1", 'found ":"'),
    ("'vcpus' = 1", "found \"'vcpus'\""), ('"vcpus" = 1', "found '\"vcpus\"'"), ("import os", "found import"),
    ("vcpus[0] = 1", "found vcpus[0]"), ("print 1", 'found "print"'), ("def x():\n  pass", "found def"),
    ("del memory", "found del"), ("exit()", "found a call of exit"), ("lambda: 1", "found lambda"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_where_what_and_what_is_accepted(text: str, message: str) -> None:
    error = complaint(lambda: parse(f"{BEFORE}{text}", source="foo.cfg", name="foo"))
    assert error.code == "bad_config"
    first = error.fields["problems"][0]
    assert (first["file"], first["line"]) == ("foo.cfg", LINE)
    assert message in first["message"]
    assert "expected" in first["message"]
    assert first["message"].isprintable()


WHOLE = [
    (b"\xff\xfen\0a\0", "foo.cfg: found UTF-16 or UTF-32, expected UTF-8"),
    (b"\xfe\xff\0n\0a", "foo.cfg: found UTF-16 or UTF-32, expected UTF-8"),
    ("name = 'foo'\n".encode("utf-16-le"), "foo.cfg:1: found a NUL, expected a text file"),
    ("name = 'foo'\n".encode("utf-32-be"), "foo.cfg:1: found a NUL, expected a text file"),
    (b"", "foo.cfg: there is no kernel, expected kernel = ... (a file of dom0) or bootloader = ..."),
    (b"\xef\xbb\xbf# nothing", "foo.cfg: there is no kernel, expected kernel = ... (a file of dom0) or "),
    (b"\r\n\r\n", "foo.cfg: there is no kernel, expected kernel = ... (a file of dom0) or bootloader = ..."),
]


@pytest.mark.parametrize(("content", "message"), WHOLE)
def test_what_is_no_text_or_an_empty_one(content: bytes, message: str) -> None:
    text = content.decode("utf-8", "surrogateescape")
    error = complaint(lambda: parse(text, source="foo.cfg", name="foo"))
    assert error.message.startswith(message)


def test_there_are_enough() -> None:
    assert len(WRONG) + len(WHOLE) >= 150
