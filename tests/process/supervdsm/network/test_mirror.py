# SPDX-License-Identifier: GPL-2.0-or-later
"""Port mirroring on a real bridge: frames sent, and frames seen at the target."""

import fcntl
import json
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import FileIO
from typing import Any, Final

import pytest

from process.supervdsm.network.inside import Call, inside
from process.supervdsm.network.namespace import Namespace, run
from supervdsm.network.apply import mirror, tc
from supervdsm.network.config import Configuration, Network
from supervdsm.network.kernel.socket import NetlinkSocket
from vdsm_contract.errors import DeviceUnavailable, NetlinkFailed

RUNNING: Final = Configuration(
    networks={
        "red": Network(name="red"),
        "blue": Network(name="blue"),
        "flat": Network(name="flat", nic="veth_flat", bridged=False),
        "gone": Network(name="gone"),
    }
)
_OURS: Final = bytes.fromhex("88b5")
"""An ethertype for experiments (IEEE 802): nobody else speaks here."""
_TUNSETIFF: Final = 0x400454CA
_IFF_TAP: Final = 0x0002
_IFF_NO_PI: Final = 0x1000
_ETH_P_ALL: Final = 0x0003
_STRANGER: Final = bytes.fromhex("020000000099")
_SENDER: Final = bytes.fromhex("020000000001")
_SECONDS: Final = 5.0


@dataclass
class Bridges:
    """Two bridges with two ports each, and taps."""

    namespace: Namespace
    call: Call
    sockets: dict[str, socket.socket] = field(default_factory=dict)
    guests: dict[str, FileIO] = field(default_factory=dict)

    def set(self, network: str, target: str) -> None:
        self.call(mirror.set_port_mirroring, network, target, RUNNING)

    def unset(self, network: str, target: str) -> None:
        self.call(mirror.unset_port_mirroring, network, target, RUNNING)

    def plug(self, tap: str) -> None:
        """Make a tap, as QEMU does: it is there while its other end is held."""
        # Opened in the namespace: it makes devices where it was opened.
        self.guests[tap] = self.call(FileIO, "/dev/net/tun", "r+")
        request = struct.pack("16sH22x", tap.encode(), _IFF_TAP | _IFF_NO_PI)
        self.call(fcntl.ioctl, self.guests[tap], _TUNSETIFF, request)
        self.namespace.ip(f"link set {tap} up")

    def unplug(self, tap: str) -> None:
        """End the VM: its tap goes away."""
        self.guests.pop(tap).close()

    def listen(self, device: str) -> None:
        """Collect from now on what passes a device."""
        # Frames that go out are shown only to those who want all protocols.
        sock = self.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW)
        sock.bind((device, _ETH_P_ALL))
        sock.settimeout(_SECONDS)
        self.sockets[device] = sock

    def send(self, device: str, payload: bytes) -> None:
        """Send a frame that is addressed to none of the bridges."""
        with self.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind((device, 0))
            sock.send(_STRANGER + _SENDER + _OURS + payload.ljust(46, b"."))

    def seen(self, device: str) -> list[bytes]:
        """Return what passed a device since it was asked last."""
        self.send(device, b"end")
        found: list[bytes] = []
        while not found or found[-1] != b"end":
            frame = self.sockets[device].recv(2048)
            if frame[12:14] == _OURS:
                found.append(frame[14:].rstrip(b"."))
        return found[:-1]

    def qdiscs(self, device: str) -> list[str]:
        found = self.tc("qdisc", device)
        return [qdisc["kind"] for qdisc in found if qdisc["kind"] != "noqueue"]

    def filters(self, device: str) -> int:
        return sum(
            "actions" in item.get("options", {})
            for way in ("ingress", "egress")
            for item in self.tc("filter", device, way)
        )

    def promiscuous(self, device: str) -> bool:
        return "PROMISC" in self.namespace.ip_json(f"link show {device}")[0]["flags"]

    def wait_for_carriers(self) -> None:
        """Until the kernel has noticed a cable, by a worker of its own, it drops what is sent."""
        deadline = time.monotonic() + _SECONDS
        while {"DOWN", "LOWERLAYERDOWN"} & {
            link["operstate"] for link in self.namespace.ip_json("link show up")
        }:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def tc_do(self, command: str) -> None:
        run("tc", "-n", self.namespace.name, *command.split())

    def tc(self, *words: str) -> list[dict[str, Any]]:
        kind, device, *way = words
        text = run("tc", "-n", self.namespace.name, "-j", kind, "show", "dev", device, *way)
        answer: list[dict[str, Any]] = json.loads(text or "[]")
        return answer


@pytest.fixture
def bridges(namespace: Namespace) -> Iterator[Bridges]:
    namespace.batch(
        "link add red type bridge",
        "link add blue type bridge",
        "link add veth_1 type veth peer name port_1",
        "link add veth_2 type veth peer name port_2",
        "link add veth_3 type veth peer name port_3",
        "link add veth_t type veth peer name other_t",
        "link add vx0 type vxlan id 5 dstport 4789 local 192.0.2.5",
        "link set port_1 master red",
        "link set port_2 master red",
        "link set port_3 master blue",
        *(
            f"link set {name} up"
            for name in (
                *("red", "blue", "veth_1", "veth_2", "veth_3", "port_1", "port_2", "port_3"),
                *("veth_t", "other_t"),
            )
        ),
    )
    with inside(namespace.name) as call:
        made = Bridges(namespace, call)
        made.plug("tap_1")
        made.plug("tap_2")
        namespace.ip("link set tap_1 master red")
        made.wait_for_carriers()
        yield made
        for thing in (*made.sockets.values(), *made.guests.values()):
            thing.close()


def test_what_passes_between_ports_is_copied_once(bridges: Bridges) -> None:
    bridges.set("red", "tap_2")
    bridges.listen("tap_2")
    bridges.send("veth_1", b"from port to port")
    assert bridges.seen("tap_2") == [b"from port to port"]


def test_what_the_host_sends_by_the_bridge_is_copied_once(bridges: Bridges) -> None:
    bridges.set("red", "tap_2")
    bridges.listen("tap_2")
    bridges.send("red", b"from the host")
    assert bridges.seen("tap_2") == [b"from the host"]


def test_the_frames_still_arrive(bridges: Bridges) -> None:
    bridges.set("red", "tap_2")
    bridges.listen("veth_2")
    bridges.send("veth_1", b"hello")
    assert bridges.seen("veth_2") == [b"hello"]


def test_a_port_of_the_same_bridge_may_be_the_target(bridges: Bridges) -> None:
    """That is how oVirt does it: the VM's own tap gets all of its network's frames."""
    bridges.namespace.ip("link set tap_1 type bridge_slave flood off")
    bridges.set("red", "tap_1")
    bridges.listen("tap_1")
    bridges.send("veth_1", b"hello")
    assert bridges.seen("tap_1") == [b"hello"]


def test_a_namespace_may_be_the_target(bridges: Bridges) -> None:
    bridges.set("red", "veth_t")
    bridges.listen("other_t")
    bridges.send("veth_1", b"hello")
    assert bridges.seen("other_t") == [b"hello"]


def test_each_target_gets_its_copy_until_its_own_end(bridges: Bridges) -> None:
    for target in ("tap_2", "veth_t"):
        bridges.set("red", target)
        bridges.listen(target)
    bridges.send("veth_1", b"both")
    assert (bridges.seen("tap_2"), bridges.seen("veth_t")) == ([b"both"], [b"both"])
    bridges.unset("red", "tap_2")
    bridges.send("veth_1", b"one")
    assert (bridges.seen("tap_2"), bridges.seen("veth_t")) == ([], [b"one"])
    assert bridges.promiscuous("red")


def test_networks_have_nothing_to_do_with_each_other(bridges: Bridges) -> None:
    bridges.set("red", "tap_2")
    bridges.set("blue", "tap_2")
    bridges.unset("red", "tap_2")
    bridges.listen("tap_2")
    bridges.send("veth_1", b"red")
    bridges.send("veth_3", b"blue")
    assert bridges.seen("tap_2") == [b"blue"]


def test_setting_again_changes_nothing(bridges: Bridges) -> None:
    bridges.set("red", "tap_2")
    before = bridges.tc("filter", "red", "ingress"), bridges.tc("filter", "red", "egress")
    bridges.set("red", "tap_2")
    after = bridges.tc("filter", "red", "ingress"), bridges.tc("filter", "red", "egress")
    assert after == before
    bridges.listen("tap_2")
    bridges.send("veth_1", b"hello")
    assert bridges.seen("tap_2") == [b"hello"]


def test_the_last_end_leaves_nothing(bridges: Bridges) -> None:
    bridges.set("red", "tap_2")
    assert bridges.qdiscs("red") == ["clsact"]
    bridges.unset("red", "tap_2")
    assert bridges.qdiscs("red") == []
    assert not bridges.promiscuous("red")
    bridges.listen("tap_2")
    bridges.send("veth_1", b"hello")
    assert bridges.seen("tap_2") == []


def test_ending_twice_and_ending_what_never_was_are_no_errors(bridges: Bridges) -> None:
    bridges.unset("red", "tap_2")
    bridges.set("red", "tap_2")
    bridges.unset("red", "tap_2")
    bridges.unset("red", "tap_2")
    bridges.unset("red", "never")


def test_mirroring_to_a_tap_that_went_away_can_be_ended(bridges: Bridges) -> None:
    bridges.set("red", "tap_2")
    bridges.unplug("tap_2")
    assert bridges.filters("red") == 2
    bridges.unset("red", "tap_2")
    assert (bridges.qdiscs("red"), bridges.promiscuous("red")) == ([], False)


def test_a_new_tap_of_the_same_name_takes_the_place_of_the_old_one(bridges: Bridges) -> None:
    bridges.set("red", "tap_2")
    bridges.unplug("tap_2")
    bridges.plug("tap_2")
    bridges.set("red", "tap_2")
    assert bridges.filters("red") == 2
    bridges.listen("tap_2")
    bridges.send("veth_1", b"hello")
    assert bridges.seen("tap_2") == [b"hello"]


def test_half_a_mirroring_is_made_whole_and_can_be_ended(bridges: Bridges) -> None:
    """What a supervdsm leaves that is killed after its first filter."""
    index = bridges.call(socket.if_nametoindex, "red")
    target = bridges.call(socket.if_nametoindex, "tap_2")

    def half() -> None:
        with NetlinkSocket() as kernel:
            kernel.request(tc.clsact(index))
            kernel.request(tc.mirror(index, tc.Mirror(tc.INGRESS, 1, "tap_2", target)))

    bridges.call(half)
    bridges.set("red", "tap_2")
    assert bridges.filters("red") == 2
    bridges.unset("red", "tap_2")
    bridges.call(half)
    bridges.unset("red", "tap_2")
    assert bridges.qdiscs("red") == []


def test_an_end_that_was_cut_short_is_ended(bridges: Bridges) -> None:
    bridges.tc_do("qdisc add dev red clsact")
    bridges.namespace.ip("link set red promisc on")
    bridges.unset("red", "tap_2")
    assert (bridges.qdiscs("red"), bridges.promiscuous("red")) == ([], False)


def test_filters_of_others_stay_and_see_the_frames(bridges: Bridges) -> None:
    bridges.tc_do("qdisc add dev red clsact")
    bridges.tc_do(
        "filter add dev red ingress pref 7 protocol all u32 match u8 0 0 "
        "action mirred egress mirror dev veth_t"
    )
    bridges.set("red", "tap_2")
    bridges.listen("veth_t")
    bridges.listen("tap_2")
    bridges.send("veth_1", b"hello")
    assert (bridges.seen("tap_2"), bridges.seen("veth_t")) == ([b"hello"], [b"hello"])
    bridges.unset("red", "tap_2")
    assert bridges.filters("red") == 1
    assert bridges.qdiscs("red") == ["clsact"]


def test_a_refusal_of_the_kernel_leaves_nothing(bridges: Bridges) -> None:
    """Another kind of ingress qdisc is in the way."""
    bridges.tc_do("qdisc add dev red ingress")
    with pytest.raises(NetlinkFailed):
        bridges.set("red", "tap_2")
    assert bridges.qdiscs("red") == ["ingress"]
    assert not bridges.promiscuous("red")


@pytest.mark.parametrize("network", ["flat", "gone", "nowhere", "port_1", "", "a/b", "x" * 40])
def test_only_a_network_s_bridge_is_mirrored(bridges: Bridges, network: str) -> None:
    for change in (bridges.set, bridges.unset):
        with pytest.raises(DeviceUnavailable) as refused:
            change(network, "tap_1")
        assert refused.value.device == network


@pytest.mark.parametrize("target", ["red", "blue", "vx0", "lo", "none", "", "x" * 40])
def test_only_a_tap_or_a_way_to_a_namespace_is_a_target(bridges: Bridges, target: str) -> None:
    with pytest.raises(DeviceUnavailable) as refused:
        bridges.set("red", target)
    assert refused.value.device == target
    assert bridges.qdiscs("red") == []


@pytest.mark.parametrize("target", ["veth_1", "veth_3"])
def test_no_target_leads_back_to_a_bridge(bridges: Bridges, target: str) -> None:
    with pytest.raises(DeviceUnavailable, match="come back"):
        bridges.set("red", target)
