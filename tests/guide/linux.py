"""The guide's Linux."""

from tests.guide.host import MACHINE, STANDINS, Host
from tests.rcd.host import SIMULATION
from xend.simulator.image import write_kernel

FOR_ROOT = ("python3", "make", "dd", "ip", "sysctl", "modprobe")
FOR_SCRIPTS = ("ip", "losetup")
#: What daemons are told beside their units: where the simulated machine is.
SIMULATIONS = {
    "xenstored": f"--platform sim:{SIMULATION}",
    "xend": f"--hypervisor sim:{SIMULATION} --store /var/run/xenstored/socket",
    "xenwatchdogd": f"--hypervisor sim:{SIMULATION}",
}
#: Interfaces: the machine's, and those that its kernel makes for domains.
LINKS = ("eth0", *(f"vif{domid}.0" for domid in range(1, 9)))


class Linux(Host):
    """Booted as dom0, with the backends' drivers."""

    flavour = "linux"
    path_of_root = "/rescue:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin"

    def prepare(self) -> None:
        self.run("umount", "/usr/local")  # so that something can be put there
        self.path("/usr/local/bin").mkdir(parents=True, exist_ok=True)
        # Scripts look for programs in /usr/pkg/sbin first, on Linux too.
        directories = {"/rescue": FOR_ROOT, "/usr/pkg/sbin": FOR_SCRIPTS}
        self.stand_in("linux", [(where, name) for where, names in directories.items() for name in names])
        self.write("/rescue/systemctl", f"#!{self.python}\n{(STANDINS / 'systemctl.py').read_text()}", 0o755)
        for unit, words in SIMULATIONS.items():
            self.write(f"{MACHINE}/simulated/{unit}", words)
        for directory in (
            f"{MACHINE}/running",
            "/etc/systemd/system",
            "/etc/default",
            "/sys/hypervisor/properties",
        ):
            self.path(directory).mkdir(parents=True)
        for link in LINKS:
            self.path(f"/sys/class/net/{link}").mkdir(parents=True)
        for name in ("/boot/vmlinuz", "/boot/initrd.img"):
            self.path("/boot").mkdir(exist_ok=True)
            write_kernel(self.path(name))
