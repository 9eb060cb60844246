"""A screen shown by SPICE: what a device model is told of it, in libxl's order (guests.md 1.2)."""

from collections.abc import Iterator

import attrs

__all__ = ["AGENT", "Spice"]

#: How a guest's agent finds its line.
AGENT = "com.redhat.spice.0"


@attrs.frozen(kw_only=True)
class Spice:
    """One.

    Attributes:
        port, tls_port: where it is reached; 0: not so.
        host: the address that it listens at; None: any.
        is_open: who looks needs no password.
        password: that one; it is told later, as anybody sees a command line.
        has_agent_mouse: the guest's agent moves its pointer.
        has_agent: there is a line to that agent; has_clipboard: texts are copied over it, too.
        usb_redirections: so many USB devices may come from where it is looked at.
        image_compression, streaming_video: words of qemu's; None: as it likes.
    """

    port: int = 0
    tls_port: int = 0
    host: str | None = None
    is_open: bool = False
    password: str | None = attrs.field(default=None, repr=False)
    has_agent_mouse: bool = True
    has_agent: bool = False
    has_clipboard: bool = False
    usb_redirections: int = 0
    image_compression: str | None = None
    streaming_video: str | None = None

    def words(self) -> Iterator[str]:
        """Of a command line."""
        told = [f"port={self.port},tls-port={self.tls_port}"]
        told += [] if self.host is None else [f"addr={self.host}"]
        told += ["disable-ticketing=on"] if self.is_open else []
        told += [f"agent-mouse={'on' if self.has_agent_mouse else 'off'}"]
        told += [] if self.has_clipboard else ["disable-copy-paste=on"]
        for key, word in (
            ("image-compression", self.image_compression),
            ("streaming-video", self.streaming_video),
        ):
            told += [] if word is None else [f"{key}={word}"]
        yield from ("-spice", ",".join(told))
        if self.has_agent:
            yield from ("-device", "virtio-serial", "-chardev", "spicevmc,id=vdagent,name=vdagent")
            yield from ("-device", f"virtserialport,chardev=vdagent,name={AGENT}")

    def redirection_words(self) -> Iterator[str]:
        """Of lines for USB devices, behind the controller that these are plugged into."""
        for number in range(1, self.usb_redirections + 1):
            yield from ("-chardev", f"spicevmc,name=usbredir,id=usbrc{number}")
            yield from ("-device", f"usb-redir,chardev=usbrc{number},id=usbrc{number}")
