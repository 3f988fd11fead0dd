# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel in memory: it does to a state what the planner expects the real one to do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from supervdsm.network.apply.executor import OperationFailed
from supervdsm.network.plan import operations as op
from supervdsm.network.plan.forecast import Forecast
from supervdsm.network.plan.state import Device, Ipv6, State
from supervdsm.network.transaction.change import Changer
from supervdsm.network.transaction.converge import Kernel
from supervdsm.network.transaction.journal import Journal
from supervdsm.network.transaction.recover import Recovery
from supervdsm.network.transaction.store import Store

IPV6_OFF = Ipv6(disabled=True, accept_ra=0, autoconf=False)


def nic(name: str, number: int) -> Device:
    return Device(
        name=name,
        kind="nic",
        up=True,
        mtu=1500,
        hwaddr=f"02:00:00:00:00:{number:02x}",
        master="",
        options=None,
        ipv6=IPV6_OFF,
        addresses=(),
        qos=(),
    )


def host(*names: str) -> State:
    """Return a host with NICs and nothing else."""
    return State(
        devices={name: nic(name, number) for number, name in enumerate(names)}, nameservers=()
    )


class Killed(BaseException):
    """The process ends here."""


@dataclass
class FakeKernel:
    """`before` is called before each operation, with its number from 1 on, and may raise."""

    state: State = field(default_factory=lambda: host("eth0", "eth1", "eth2"))
    done: list[op.Operation] = field(default_factory=list)
    before: Callable[[int, op.Operation], None] = lambda _number, _operation: None

    def read(self) -> State:
        return self.state

    def apply(self, operations: Sequence[op.Operation]) -> None:
        for operation in operations:
            self.before(len(self.done) + 1, operation)
            self._do(operation)
            self.done.append(operation)

    def refuse(self, unwanted: Callable[[op.Operation], bool], number: int = 16) -> None:
        """Let each operation that is `unwanted` fail."""

        def before(_number: int, operation: op.Operation) -> None:
            if unwanted(operation):
                raise OperationFailed(operation, number, "Device or resource busy")

        self.before = before

    def _do(self, operation: op.Operation) -> None:
        dhcp = dict(self.state.dhcp)
        forecast = Forecast(self.state)
        match operation:
            case op.StartDhcp(name, client):
                dhcp[name] = client
            case op.StopDhcp(name):
                dhcp.pop(name, None)
            case _:
                forecast.do(operation)
        routes = {route for each in forecast._routes.values() for route in each.values()}
        self.state = State(
            devices={name: _known(device) for name, device in forecast.devices.items()},
            routes=frozenset(routes),
            rules=frozenset(forecast.rules),
            dhcp=dhcp,
            nameservers=forecast.nameservers,
        )


def _known(device: Device) -> Device:
    """Fill in what the forecast leaves open."""
    return msgspec.structs.replace(
        device,
        mtu=device.mtu or 1500,
        hwaddr=device.hwaddr or "02:00:00:00:ff:ff",
        ipv6=device.ipv6 or Ipv6(disabled=False, accept_ra=1, autoconf=True),
        addresses=device.addresses or (),
    )


@dataclass(frozen=True)
class Site:
    """All that a change needs, below a directory of its own."""

    kernel: FakeKernel
    store: Store
    journal: Journal
    changer: Changer
    recovery: Recovery

    @staticmethod
    def at(directory: Path, kernel: FakeKernel | None = None) -> "Site":
        """Make a site, or the next process on one whose files are there."""
        kernel = kernel or FakeKernel()
        store = Store(directory)
        journal = Journal(directory / "supervdsm/network.journal")
        changer = Changer(Kernel(kernel.read, kernel.apply, kernel.read), store, journal)
        return Site(kernel, store, journal, changer, Recovery(changer))

    def restarted(self) -> "Site":
        """Return the next process: nothing in memory is left, and the kernel is as it was."""
        directory = self.store._state_dir
        return Site.at(directory, replace(self.kernel, before=FakeKernel().before, done=[]))
