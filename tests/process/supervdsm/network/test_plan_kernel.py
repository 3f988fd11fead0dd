# SPDX-License-Identifier: GPL-2.0-or-later
"""The planner's properties against the real kernel: plans are read, made, applied and read again.

NICs are veths. Where the kernel has no VLANs, bonds or HFSC, configurations have none either; the
VM ring runs the same file on a kernel with all of them.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from process.supervdsm.network.inside import Call, inside
from process.supervdsm.network.namespace import Namespace, run
from supervdsm.network.apply.executor import Executor
from supervdsm.network.config import Configuration
from supervdsm.network.kernel.devices import NicPatterns
from supervdsm.network.kernel.reading import Reader
from supervdsm.network.plan.operations import Operation, StartDhcp
from supervdsm.network.plan.planner import plan
from supervdsm.network.plan.state import Dhcp, State
from supervdsm.network.plan.target import target
from unit.supervdsm.network.generators import NICS, configurations, hwaddr
from unit.supervdsm.network.plan.essence import differences, essence

EXAMPLES = settings(
    max_examples=int(os.environ.get("PLAN_KERNEL_EXAMPLES", "8")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NOTHING = Configuration()
ROUNDS = 2


class Stopped(Exception):
    """As many operations were done as were to be done: a process that was killed."""


@dataclass
class Clients:
    """Stands for the DHCP clients, which are systemd's units."""

    running: dict[str, Dhcp] = field(default_factory=dict)

    def start(self, device: str, dhcp: Dhcp) -> None:
        self.running[device] = dhcp

    def stop(self, device: str) -> None:
        self.running.pop(device, None)


@dataclass
class Host:
    """A namespace with four NICs, read and changed by supervdsm's own code."""

    namespace: Namespace
    call: Call
    sysfs: Path
    clients: Clients = field(default_factory=Clients)

    def reset(self) -> None:
        """Begin again: nothing of ours, and NICs with an address of their own."""
        links = [link["ifname"] for link in self.namespace.ip_json("link show")]
        for name in links:
            if name != "lo":
                # A device may have gone with another one.
                subprocess.run(
                    ["ip", "-n", self.namespace.name, "link", "del", name],
                    check=False,
                    capture_output=True,
                )
        for version in ("-4", "-6"):
            for rule in self.namespace.ip_json(f"{version} rule show"):
                if rule["priority"] == 3200:
                    self.namespace.ip(f"{version} rule del priority 3200")
        commands = []
        for number, nic in enumerate(NICS):
            commands += [
                f"link add {nic} address {hwaddr(nic)} type veth peer name far{number}",
                f"link set far{number} mtu 9000 up",
                f"addr add 192.168.{number}.2/24 dev {nic}",
                f"addr add 192.168.{number}.3/24 dev {nic}",
            ]
        commands += [
            "link set eth0 up",
            "route add 10.99.0.0/16 via 192.168.0.1",
            "link set eth1 mtu 9000",
        ]
        self.namespace.batch(*commands)
        self.clients.running.clear()

    def read(self) -> State:
        reader = Reader(
            patterns=NicPatterns(fake=("eth*",)),
            dhcp=lambda: dict(self.clients.running),
            nameservers=self._nameservers,
        )
        return self.call(reader.read)

    def apply(self, operations: Sequence[Operation], stop_after: int = -1) -> None:
        """Apply operations, or only so many of them."""

        def count(done: int) -> None:
            if done == stop_after:
                raise Stopped

        if stop_after == 0:
            return
        executor = Executor(
            dhcp=self.clients,
            host_root=self.namespace.host_root,
            sysfs=self.sysfs,
            batch=1 if stop_after > 0 else 100,
            after=count,
        )
        with suppress(Stopped):
            self.call(executor.apply, operations)

    def arrive(self, wanted: State) -> int:
        """Go to a target; return in how many rounds."""
        for number in range(ROUNDS + 1):
            operations = plan(self.read(), wanted)
            if not operations:
                return number
            assert number < ROUNDS, f"after {ROUNDS} rounds: {[str(one) for one in operations]}"
            self.apply(operations)
        raise AssertionError

    def move(self, running: Configuration, wanted: Configuration) -> tuple[int, State]:
        """Change the configuration; return the number of rounds, and the way back."""
        current = self.read()
        there = target(current, running, wanted)
        rounds = self.arrive(there)
        return rounds, current.restricted(there.devices.keys() | there.absent)

    def _nameservers(self) -> tuple[str, ...]:
        text = (self.namespace.host_root / "etc/resolv.conf").read_text()
        return tuple(line.split()[1] for line in text.splitlines() if line.startswith("names"))


@pytest.fixture
def host(namespace: Namespace, tmp_path: Path) -> Iterator[Host]:
    (namespace.host_root / "etc/resolv.conf").write_text("nameserver 192.0.2.1\n")
    sysfs = tmp_path / "sys"
    sysfs.mkdir()
    with inside(namespace.name) as call:
        # A sysfs shows the namespace of whoever mounts it.
        call(run, "mount", "-t", "sysfs", "sysfs", str(sysfs))
        try:
            yield Host(namespace, call, sysfs)
        finally:
            run("umount", str(sysfs))


def _has(kind: str, add: str) -> bool:
    """Tell whether the kernel makes a device of this kind, or a qdisc."""
    name = f"vt-probe-{os.getpid()}"
    if os.geteuid() != 0:
        return False
    run("ip", "netns", "add", name)
    try:
        run("ip", "-n", name, "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        done = subprocess.run([kind, "-n", name, *add.split()], check=False, capture_output=True)
    finally:
        run("ip", "netns", "del", name)
    return done.returncode == 0


def _drawn() -> st.SearchStrategy[Configuration]:
    return configurations(
        with_vlans=_has("ip", "link add link v0 name v0.5 type vlan id 5"),
        with_bonds=_has("ip", "link add b0 type bond"),
        with_qos=_has("tc", "qdisc add dev v0 root hfsc"),
    )


DRAWN = st.deferred(_drawn)


@pytest.mark.timeout(600)
@EXAMPLES
@given(path=st.lists(DRAWN, min_size=2, max_size=3))
def test_any_path_of_configurations_arrives_and_leads_back(
    host: Host, path: list[Configuration]
) -> None:
    host.reset()
    before = []
    for running, wanted in pairwise([NOTHING, *path]):
        found = essence(host.read())
        before.append((found, host.move(running, wanted)[1]))
    for found, back in reversed(before):
        host.arrive(back)
        assert differences(host.read(), found) == {}


@pytest.mark.timeout(600)
@EXAMPLES
@given(running=DRAWN, wanted=DRAWN, data=st.data())
def test_from_wherever_a_change_was_cut_off_there_is_a_way_back_and_a_way_on(
    host: Host, running: Configuration, wanted: Configuration, data: st.DataObject
) -> None:
    host.reset()
    host.move(NOTHING, running)
    current = host.read()
    there = target(current, running, wanted)
    operations = plan(current, there)
    stop = data.draw(st.integers(0, len(operations)))
    host.apply(operations, stop_after=stop)
    host.arrive(current.restricted(there.devices.keys() | there.absent))
    assert differences(host.read(), essence(current)) == {}

    host.apply(operations, stop_after=stop)
    host.arrive(there)
    reached = {name: one for name, one in host.clients.running.items() if name in there.devices}
    assert reached == there.dhcp
    assert not [one for one in plan(host.read(), there) if isinstance(one, StartDhcp)]
