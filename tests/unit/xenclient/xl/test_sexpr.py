"""output_format="sxp" of xl.conf: what xl list -l and create -n print then (layout of xl 4.17)."""

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend
from xenclient.cli.xl.sexpr import sexpr
from xend.config.domain import as_json, parse

TEXT = """
name = "web"
uuid = "039e9ee6-4a84-3055-4c81-8ba426ae2656"
kernel = "/netbsd"
extra = "root=xbd0"
memory = 32
vcpus = 2
pool = "Pool-0"
max_grant_frames = 7
disk = [ 'phy:/dev/x,xvda,w', '/c.iso,raw,hdc,r,devtype=cdrom' ]
vif = [ 'mac=00:16:3e:00:00:01,vifname=v0', 'backend=3' ]
"""
PRINTED = """\
(domain
	(domid 5)
	(create_info)
	(hvm 0)
	(hap <default>)
	(oos <default>)
	(ssidref 0)
	(name web)
	(uuid 039e9ee6-4a84-3055-4c81-8ba426ae2656)
	(cpupool Pool-0)
	(xsdata (null))
	(platformdata (null))
	(build_info)
	(max_vcpus 2)
	(max_grant_frames 7)
	(max_maptrack_frames -1)
	(tsc_mode default)
	(max_memkb 32768)
	(target_memkb 32768)
	(nomigrate False)
	(image
		(linux 0)
			(kernel /netbsd)
			(cmdline root=xbd0)
			(ramdisk (null))
			(e820_host <default>)
		)
	)
	(device
		(tap
			(backend_domid 0)
			(frontend_domid 5)
			(physpath /dev/x)
			(phystype 0)
			(virtpath xvda)
			(unpluggable 0)
			(readwrite 1)
			(is_cdrom 0)
		)
	)
	(device
		(tap
			(backend_domid 0)
			(frontend_domid 5)
			(physpath /c.iso)
			(phystype 0)
			(virtpath hdc)
			(unpluggable 1)
			(readwrite 0)
			(is_cdrom 1)
		)
	)
	(device
		(vif
			(vifname v0)
			(backend_domid 0)
			(frontend_domid 5)
			(devid 0)
			(mtu 0)
			(model (null))
			(mac 001630000001)
		)
	)
	(device
		(vif
			(backend_domid 3)
			(frontend_domid 5)
			(devid 1)
			(mtu 0)
			(model (null))
			(mac 000000000000)
		)
	)
)
""".replace("001630000001", "00163e000001")


def test_the_layout() -> None:
    config = as_json(parse(TEXT, source="web"), 5)["config"]
    assert sexpr(5, config) == PRINTED


def test_xl_prints_what_xl_conf_asks_for(xl: Xl, xend: FakeXend) -> None:
    xend.settings["output_format"] = "sxp"
    config = as_json(parse(TEXT, source="web"), 5)["config"]
    xend.config = config
    assert xl("create", "-n", "-q", "/dev/null")[:2] == (0, PRINTED.replace(" 5)", " -1)"))
    assert xl("list", "-l", "--json", "d1")[1].startswith("[")
