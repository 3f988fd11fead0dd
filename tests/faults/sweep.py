# SPDX-License-Identifier: GPL-2.0-or-later
"""A supervdsm that is killed, or refused, at every step of a change; in a namespace of its own.

`python -m faults.sweep [--vlans-and-bonds]` prints what was seen; the process ring calls the same
functions. It needs root, ip(8) and what supervdsm imports.
"""

import argparse
import errno
import itertools
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from faults.kernel_dump import Dump, difference
from faults.network_host import Died, Host, network_host
from vdsm_contract.errors import ContractError, SupervdsmDied, VerbError

ERRORS: Final = (errno.EPERM, errno.EBUSY, errno.ENOMEM)
HOSTS: Final = 4


@dataclass(frozen=True)
class Scenario:
    """A configuration `old`, and a change of many operations that leads to another one."""

    old_networks: dict[str, Any]
    old_bonds: dict[str, Any]
    networks: dict[str, Any]
    bonds: dict[str, Any]


def _static(third: int, **attributes: Any) -> dict[str, Any]:
    return {
        "ipaddr": f"10.0.{third}.2",
        "netmask": "255.255.255.0",
        "gateway": f"10.0.{third}.1",
        **attributes,
    }


SIMPLE: Final = Scenario(
    old_networks={
        "ovirtmgmt": _static(1, nic="nic0", defaultRoute=True, nameservers=["10.0.1.53"]),
        "moving": _static(2, nic="nic1", bridged=False),
        "going": {"nic": "nic2", "stp": "on", "ipv6addr": "2001:db8:3::2/64"},
        "shrinking": _static(4, nic="nic3", mtu=9000),
    },
    old_bonds={},
    networks={
        "ovirtmgmt": _static(1, nic="nic0", mtu=9000),
        "moving": _static(2, nic="nic4"),
        "going": {"remove": True},
        "shrinking": _static(4, nic="nic3", mtu=1400, custom={"bridge_opts": "ageing_time=0"}),
        "first": _static(5, nic="nic5", defaultRoute=True, nameservers=["10.0.5.53"]),
        "second": _static(6, nic="nic6", bridged=False, ipv6addr="2001:db8:6::2/64"),
        "isolated": {"stp": True},
    },
    bonds={},
)
"""What needs only veths and bridges."""

VLANS_AND_BONDS: Final = Scenario(
    old_networks={
        "ovirtmgmt": _static(1, bonding="bond0", defaultRoute=True),
        "vlan10": _static(2, bonding="bond0", vlan=10, mtu=2000),
        "going": {"nic": "nic2", "vlan": 30},
    },
    old_bonds={"bond0": {"nics": ["nic0", "nic1"], "options": "mode=1 miimon=100"}},
    networks={
        "ovirtmgmt": _static(1, bonding="bond0", vlan=5),
        "vlan10": _static(2, bonding="bond1", vlan=11, mtu=9000, bridged=False),
        "going": {"remove": True},
        "first": _static(5, bonding="bond1", vlan=12, defaultRoute=True),
        "second": _static(6, nic="nic4", vlan=20),
    },
    bonds={
        "bond0": {"nics": ["nic1", "nic2"], "options": "mode=4 miimon=150 xmit_hash_policy=1"},
        "bond1": {"nics": ["nic0", "nic3"], "options": "mode=0"},
    },
)
"""What needs a kernel with 8021q and bonding."""


@dataclass
class Sweep:
    """The sweep of one scenario, on one host."""

    host: Host
    scenario: Scenario
    old: tuple[Dump, dict[str, Any]] = field(init=False)
    new: tuple[Dump, dict[str, Any]] = field(init=False)
    operations: int = 0

    def prepare(self) -> None:
        """Bring the host to the old configuration, and see what the new one is."""
        self.host.start()
        # A NIC that was ours once is left in another state than the kernel makes it in.
        self._to_old()
        self._change()
        self._to_old()
        self.old = self.host.dump(), self.host.stored()
        self.host.arm("kill", 0)
        self._change()
        self.steps = self.host.steps
        self.operations = sum(1 for step in self.steps if step.startswith(("netlink", "write")))
        self.new = self.host.dump(), self.host.stored()
        self._to_old()
        self.check("old", "the way back by a request")

    def killed_at(self, number: int, recovery: tuple[int, ...] = ()) -> str:
        """Kill before a step, and the next supervdsms before steps of their recovery. Return where
        it led; empty when the change has not so many steps."""
        self.host.arm("kill", number)
        try:
            self._change()
        except SupervdsmDied:
            pass
        else:
            return self._not_so_many()
        what = f"killed before step {number}, after {self.host.steps[-1:]}"
        for step in recovery:
            self.host.kill()
            self.host.arm("kill", step)
            with suppress(Died):
                self.host.start()
            what += f", then at {step} after {self.host.steps[-1:]}"
        self.host.restart()
        return self._arrived(what)

    def refused_at(self, number: int, code: int) -> str:
        """Let a step fail. Return where it led; empty when the change has not so many steps."""
        self.host.arm("refuse", number, code)
        error: ContractError | None = None
        try:
            self._change()
        except VerbError as refused:
            error = refused
        if error is None and len(self.host.steps) < number:
            return self._not_so_many()
        before = self.host.steps[number - 2 : number - 1]
        what = f"{errno.errorcode[code]} at step {number}, after {before}: {error}"
        ended = error is None or getattr(error, "rolledBack", False)
        if ended:
            self.check("old" if error else "new", what)
        else:
            # Of a change that could not be ended, the next supervdsm makes an end.
            self.host.restart()
        return self._arrived(what, restarted=not ended)

    def _not_so_many(self) -> str:
        self.host.arm("kill", 0)  # not any more
        self.check("new", "no fault")
        self._to_old()
        return ""

    def killed_at_any_time(self, delay: float) -> str:
        """Kill from outside, `delay` seconds after the call; say where it led.

        On a slow machine that is before the call has come: the next supervdsm serves it then.
        """
        self.host.arm("kill", 0)
        killer = threading.Timer(delay, self.host.restart)
        killer.start()
        with suppress(ContractError):
            self._change()
        killer.join()
        self.host.restart()
        return self._arrived(f"killed {delay:.3f} s after the call")

    def check(self, which: str, what: str) -> None:
        """Raise AssertionError unless kernel and files are as in `old` or `new`."""
        expected = self.old if which == "old" else self.new
        found = [
            *difference(expected[0], self.host.dump()),
            *difference({"stored": expected[1]}, {"stored": self.host.stored()}),
        ]
        if found:
            lines = "\n".join(found)
            raise AssertionError(f"{what}: not {which}:\n{lines}\n{self.host.log()[-6000:]}")

    def _arrived(self, what: str, *, restarted: bool = True) -> str:
        which = "new" if self.host.stored() == self.new[1] else "old"
        self.check(which, what)
        left = self.host.leftovers() if restarted else []
        if left:
            raise AssertionError(f"{what}: left behind: {left}\n{self.host.log()[-6000:]}")
        if which == "new":
            self._to_old()
            self.check("old", f"{what}, and back")
        return which

    def _change(self) -> None:
        self.host.setup(self.scenario.networks, self.scenario.bonds, commitOnSuccess=True)

    def _to_old(self) -> None:
        stored = [name.split("/")[1:] for name in self.host.stored() if name.startswith("staging")]
        nets = {name for kind, name in stored if kind == "nets"}
        bonds = {name for kind, name in stored if kind == "bonds"}
        remove = {"remove": True}
        self.host.setup(
            {
                **self.scenario.old_networks,
                **dict.fromkeys(nets - self.scenario.old_networks.keys(), remove),
            },
            {
                **self.scenario.old_bonds,
                **dict.fromkeys(bonds - self.scenario.old_bonds.keys(), remove),
            },
            commitOnSuccess=True,
        )


@contextmanager
def prepared(scenario: Scenario) -> Iterator[Sweep]:
    """Give a sweep of `scenario` on a host of its own."""
    with network_host() as host:
        sweep = Sweep(host, scenario)
        sweep.prepare()
        yield sweep


@dataclass(frozen=True)
class Swept:
    """Where the fault at each step led, and the steps of a change without one."""

    operations: int
    steps: list[str]
    led: dict[int, str]

    @property
    def turn(self) -> int:
        """The first step whose fault led forward. All before it lead back, and none after it."""
        forward = [number for number, led in self.led.items() if led == "new"]
        turn = min(forward)
        assert forward == [number for number in self.led if number >= turn], self.led
        return turn


def sweep_all(
    scenario: Scenario, fault: Callable[[Sweep, int], str], hosts: int = HOSTS, every: int = 1
) -> Swept:
    """Call `fault` for each step of the change, or for one of `every` so many.

    Several hosts do it side by side: most of the time the kernel waits for itself.
    """

    def part(first: int) -> tuple[Sweep, dict[int, str]]:
        with prepared(scenario) as sweep:
            led = {}
            for number in itertools.count(1 + (first - 1) * every, hosts * every):
                where = fault(sweep, number)
                if not where:
                    return sweep, led
                led[number] = where
        raise AssertionError

    with ThreadPoolExecutor(hosts) as pool:
        parts = list(pool.map(part, range(1, hosts + 1)))
    whole = {number: led for _sweep, part_led in parts for number, led in part_led.items()}
    sweep, _led = parts[0]
    return Swept(sweep.operations, sweep.steps, dict(sorted(whole.items())))


def killed(sweep: Sweep, number: int) -> str:
    """Kill before a step."""
    return sweep.killed_at(number)


def refused(sweep: Sweep, number: int) -> str:
    """Refuse a step, with one error after another."""
    return sweep.refused_at(number, ERRORS[number % len(ERRORS)])


def main() -> None:
    """Sweep, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vlans-and-bonds", action="store_true")
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    scenario = VLANS_AND_BONDS if options.vlans_and_bonds else SIMPLE
    found = {
        fault.__name__: sweep_all(scenario, fault, options.hosts, options.every)
        for fault in (killed, refused)
    }
    for name, swept in found.items():
        led = list(swept.led.values())
        print(
            f"{name}: {swept.operations} operations, {len(led)} steps; "
            f"{led.count('old')} led back, {led.count('new')} led forward"
        )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
