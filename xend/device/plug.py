"""A device's way in and out, as steps (toolstack.md 3).

In: nodes, wait until the backend's driver has appeared (InitWait), script.  The guest connects when it
runs.  Out: the backend closes, script, nodes.  The order of undoing follows from that: what undoes the
script closes the backend first.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs

from xend.device import causes, driver_domain, nodes, scripts
from xend.device.device import Device, device_key
from xend.device.kinds import KINDS
from xend.device.xenbus import XenbusState
from xend.errors import XendError
from xend.host import Host
from xend.operation.steps import Action, Step, Work
from xend.refusals import explained

#: No driver has done anything with the backend.
NOT_TAKEN_UP = (XenbusState.UNKNOWN, XenbusState.INITIALISING)
GONE = (XenbusState.CLOSED, XenbusState.UNKNOWN)


#: Makes the device of an operation whose domid is known by then.
DeviceOf = Callable[[Work], Device]


class Plug:
    """The steps of one device.

    Attributes:
        kind: the row of its type.
        key: of the device among its domain's: "vif/0"; keys of steps begin with it.
        name: as people call it.
        device: makes the device, which is known only once the steps run.
        is_of_model: the device model of its domain serves it, and no script has a part in it.
        shown: makes of the device the one whose nodes are written (`DeviceKind.model_shows`).
    """

    def __init__(
        self,
        host: Host,
        kind: str,
        devid: int,
        name: str,
        device: DeviceOf,
        *,
        is_of_model: bool = False,
        shown: Callable[[Device], Device] = lambda device: device,
    ) -> None:
        self.host = host
        self.kind = KINDS[kind]
        self.key = device_key(kind, devid)
        self.name = name
        self.device = device
        self.is_of_model = is_of_model
        self.shown = shown
        #: Its script has ended by itself, with an error.
        self._has_refused = False

    def attach(self) -> list[Step]:
        """Put it in."""
        return [*self.adding(), *self.connecting()]

    def adding(self) -> list[Step]:
        """The first half of that: a device model has to find the nodes as it starts."""
        return self._recording_failures([self._step("add", "write its nodes", self.add, self.remove)])

    def connecting(self) -> list[Step]:
        """The second half."""
        steps = [self._step("await-backend", "wait for its backend", self.await_backend, self.close)]
        if self._has_script:
            steps.append(self._step("run-script", "run its script", self.run_script, self.unplug))
        return self._recording_failures(steps)

    @property
    def _has_script(self) -> bool:
        return self.kind.script is not None and not self.is_of_model

    def _step(self, key: str, name: str, do: Action, undo: Action | None = None, **how: Any) -> Step:
        return Step(f"{self.key}.{key}", f"{self.name}: {name}", do, undo, **how)

    def _recording_failures(self, steps: list[Step]) -> list[Step]:
        """The same steps; the device's story gets the failure of each."""
        return [attrs.evolve(step, do=partial(self._do_and_record_failure, step)) for step in steps]

    async def _do_and_record_failure(self, step: Step, work: Work) -> None:
        try:
            await step.do(work)
        except XendError as error:
            device = self.device(work)
            self.host.stories.failed(device, error.annotated(step=step.name).as_map())
            hint = None if "cause" in error.fields else self._likely(device)  # a cause says it better
            raise error.annotated(hint=hint) from error.__cause__

    def _likely(self, device: Device) -> str | None:
        story = self.host.stories.find(device.domid, device.name)
        return None if story is None else causes.likely(story, None, self.host.settings.platform)

    def detach(self) -> list[Step]:
        """Take it out, whatever the guest does."""
        return [
            self._step("close", "close its backend", self.close, on_failure="go on"),
            *self._take_out(),
        ]

    def detach_politely(self) -> list[Step]:
        """Take it out if its guest lets go of it."""
        close = self._step("close", "close its backend", self.close_politely, self.reopen)
        return self._recording_failures([close, *self._take_out()])

    def _take_out(self) -> list[Step]:
        """What follows once the backend has closed."""
        remove = self._step("remove", "remove its nodes", self.remove)
        if self.kind.release is not None:
            give_back = "give back what it has of the host's"
            return [self._step("give-back", give_back, self.give_back, on_failure="go on"), remove]
        if not self._has_script:
            return [remove]
        script = self._step("run-remove-script", "run its script", self.run_remove_script, on_failure="go on")
        return [script, remove]

    async def check(self, work: Work, more: Callable[[], object] = lambda: None) -> None:
        """Refuses what can be refused before anything is done, and has the device's story say so.

        more: what its operation checks besides.

        Raises:
            XendError: script_failed, bad_image; those of `more`.
        """
        device = self.device(work)
        self.host.stories.begin(device)
        try:
            check(device)
            more()
        except XendError as error:
            self.host.stories.failed(device, error.as_map())
            self.host.stories.end(device)
            raise

    async def add(self, work: Work) -> None:
        device = self.device(work)
        self.host.stories.begin(device)
        with explained(f"write the nodes of {device.name}"):
            await nodes.add(self.host.store, self.shown(device))
            self.host.stories.tell(device, "nodes written")
            await self.host.backends.follow(device)
        self._publish(device, "added")

    async def await_backend(self, work: Work) -> None:
        device, settings = self.device(work), self.host.settings
        driver = self.kind.drivers[settings.platform]
        try:
            await self.host.backends.wait(work, device, self.kind.appeared, settings.init_seconds)
        except XendError as error:
            state = self.host.backends.state(device)
            if self.is_of_model:
                raise self._not_served(device, state) from error
            raise device.error(
                "device_failed",
                f"its backend is {state} after {settings.init_seconds:g} s, "
                f"{self.kind.appeared[0]} was expected",
                cause=await self.said(device),
                waited_s=settings.init_seconds,
                reason="no_driver" if state in NOT_TAKEN_UP else None,
                hint=f"is the driver {driver} in {device.served_by}'s kernel?",
            ) from error

    def _not_served(self, device: Device, state: XenbusState) -> XendError:
        """Why the device model has not taken it up: in its own words, if any."""
        model, seconds = self.host.models.get(device.domid), self.host.settings.init_seconds
        words = [] if model is None else model.last_words()
        return device.error(
            "device_failed",
            f"its device model (qemu) does not serve it: its backend is {state} after {seconds:g} s, "
            f"{self.kind.appeared[0]} was expected",
            cause=words[-1] if words else None,
            script_output="\n".join(words) or None,
            waited_s=seconds,
            reason="no_model",
            hint=None if model is None else f"all that it said is in {model.log}",
        )

    async def said(self, device: Device) -> str | None:
        """Why its backend gave up, in the words of the driver; None: it said nothing."""
        top = f"/local/domain/{device.backend_domid}"
        path = f"{top}/error/{device.backend_path.removeprefix(f'{top}/')}/error"
        with explained(f"read what is said of {device.name}"):
            found = await nodes.value_of(self.host.store, path)
        return None if found is None else found.decode("utf-8", "replace")

    async def run_script(self, work: Work) -> None:
        device = self.device(work)
        try:
            with explained(f"run the script of {self.name}"):
                if device.backend_domid:
                    await driver_domain.await_script(self.host, work, device)
                elif not device.is_empty:
                    await scripts.plug(self.host, work, device)
        except XendError as error:
            self._has_refused = "waited_s" not in error.fields
            raise

    async def give_back(self, work: Work) -> None:
        device = self.device(work)
        assert self.kind.release is not None
        with explained(f"give back what {device.name} has of the host's"):
            try:
                await self.kind.release(self.host, device)
            except OSError as error:
                raise device.error(
                    "device_failed",
                    "dom0's kernel does not take back what it has of the host's",
                    cause=f"{error.filename}: {error.strerror}",
                ) from error

    async def run_remove_script(self, work: Work) -> None:
        device = self.device(work)
        with explained(f"run the script of {self.name}"):
            if device.backend_domid:
                await driver_domain.await_removal(self.host, work, device)
            elif not device.is_empty:
                await scripts.unplug(self.host, work, device)

    async def unplug(self, work: Work) -> None:
        """Its nodes go nevertheless, so that what fails here is a warning.

        A script that refused to put the device in has said what it left: that it fails again is only logged.
        """
        try:
            await self.close(work)
        except XendError as error:
            work.warn(error)
        try:
            await self.run_remove_script(work)
        except XendError as error:
            self.host.log(str(error)) if self._has_refused else work.warn(error)

    async def close_politely(self, work: Work) -> None:
        """The guest is asked to let go of it.

        Raises:
            XendError: device_failed: it does not.
        """
        device, seconds = self.device(work), self.host.settings.destroy_seconds
        if self.is_of_model and self.host.models.has_died(device.domid):
            raise device.error(
                "device_failed",
                "its device model (qemu) has died, so that nobody can ask its guest to let go of it",
                reason="no_model",
                hint="-f takes it away all the same",
            )
        with explained(f"close the backend of {device.name}"):
            await self.host.backends.follow(device)
            if not await nodes.start_closing(self.host.store, device):
                return
        try:
            await self.host.backends.wait(work, device, GONE, seconds)
        except XendError as error:
            raise device.error(
                "device_failed",
                f"its guest did not let go of it within {seconds:g} s "
                f"(backend {self.host.backends.state(device)})",
                waited_s=seconds,
                hint="is it in use there, a mounted disk? -f takes it away all the same",
            ) from error

    async def reopen(self, work: Work) -> None:
        """A device that was not let go of stays: its backend may connect again."""
        device = self.device(work)
        with explained(f"leave {device.name} as it was"):
            await nodes.stop_closing(self.host.store, device)

    async def close(self, work: Work) -> None:
        """The backend lets go; returns when it is closed.

        Raises:
            XendError: it does not, though its frontend is gone.
        """
        device, seconds = self.device(work), self.host.settings.destroy_seconds
        is_deserted = self._is_deserted(device)
        with explained(f"close the backend of {device.name}"):
            if not await nodes.force_closing(self.host.store, device):
                return
            if is_deserted:
                return
            await self.host.backends.follow(device)
        try:
            await self.host.backends.wait(work, device, GONE, seconds)
        except XendError as error:
            state = self.host.backends.state(device)
            raise device.error(
                "device_failed",
                f"its backend is {state} {seconds:g} s after its frontend was taken away, it does not close",
                waited_s=seconds,
                hint=f"see what {device.served_by}'s kernel says of it",
            ) from error

    def _is_deserted(self, device: Device) -> bool:
        """Whether nobody is there who would close its backend: no device model, or one that has not taken it
        up (its image is broken), or closes none of this type."""
        if not self.is_of_model:
            return False
        if not self.kind.model_closes:
            return True
        model = self.host.models.get(device.domid)
        return model is None or model.has_ended.is_set() or self.host.backends.state(device) in NOT_TAKEN_UP

    async def remove(self, work: Work) -> None:
        device = self.device(work)
        with explained(f"remove the nodes of {device.name}"):
            await self.host.backends.forget(device)
            await nodes.remove(self.host.store, device)
        self.host.stories.end(device)
        self._publish(device, "removed")

    def _publish(self, device: Device, what: str) -> None:
        self.host.publish("device", what, domid=device.domid, device=device.name)


def plug_of(host: Host, device: Device) -> Plug:
    """The plug of a device that is known already."""
    is_of_model = KINDS[device.kind].is_of_model(device)
    return Plug(host, device.kind, device.devid, device.name, lambda work: device, is_of_model=is_of_model)


def check(device: Device) -> None:
    """See that a device's script can be run, and what its type looks at besides: a disk's image.

    What a driver domain has is not looked at.

    Raises:
        XendError: script_failed; those of `DeviceKind.check`.
    """
    if device.backend_domid:
        return
    if device.script is not None:
        scripts.check(device.script, device.name)
    KINDS[device.kind].check(device)
