# SPDX-License-Identifier: GPL-2.0-or-later
"""hostQos: real frames, counted by the classes that they went through."""

import errno
import json
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from supervdsm.network.qos import MAX_RATE, MAX_SHARE, as_kernel_has_it
from vdsm_contract.types import DeviceQos, HostQos, QosClass, QosCurve
from vm.engine import Refused
from vm.shell import Shell
from vm.site import Site

MBIT: Final = 1_000_000
_SCRIPT: Final = "/run/shaping.py"
_SEND: Final = """\
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
for _ in range(int(sys.argv[2])):
    sock.sendto(bytes(int(sys.argv[3])), (sys.argv[1], 9))
"""
_UNTAGGED: Final = "1389:1388"
_OTHERS: Final = "1389:1389"


class Traffic:
    """What goes out by a device: what is sent, and what its classes say of it."""

    def __init__(self, shell: Shell, device: str) -> None:
        self.shell = shell
        self.device = device

    def send(self, address: str, count: int, size: int = 100) -> None:
        self.shell(f"python3 -c {shlex.quote(_SEND)} {address} {count} {size}")

    def classes(self) -> dict[str, tuple[int, int]]:
        """Return of each class how many packets went through it, and how many wait.

        What `tc` says of HFSC in JSON is none.
        """
        text = self.shell(f"tc -s class show dev {self.device}")
        return {
            handle: (int(packets), int(backlog))
            for handle, packets, backlog in re.findall(
                r"^class hfsc (\S+) parent.*\n Sent \d+ bytes (\d+) pkt .*\n backlog \S+ (\d+)p",
                text,
                re.MULTILINE,
            )
        }

    def qdiscs(self) -> list[tuple[str, bool]]:
        """Return the kinds of the qdiscs, and whether they are the root."""
        text = self.shell(f"tc qdisc show dev {self.device}")
        found = re.findall(r"^qdisc (\S+) \S+ (\S+)", text, re.MULTILINE)
        return [(kind, where == "root") for kind, where in found]

    def grown(self, counts: dict[str, int]) -> dict[str, int]:
        """Send datagrams to addresses; return by how much each class has grown."""
        before = self.classes()
        for address, count in counts.items():
            self.send(address, count)
        self.shell(
            f"while tc -s class show dev {self.device} | grep -q ' [1-9][0-9]*p '; do :; done"
        )
        return {
            handle: packets - before[handle][0] for handle, (packets, _) in self.classes().items()
        }


def at_least(found: int, wanted: int, slack: int = 20) -> bool:
    """Other packets go by the device too, now and then: ARP, IPv6's own."""
    return wanted <= found <= wanted + slack


# --- by the API -----------------------------------------------------------------------------------


def shaped_by(weight: int, **rates: int) -> dict[str, Any]:
    return {"out": {"ls": {"m2": weight}, **{key: {"m2": rate} for key, rate in rates.items()}}}


RED: Final = {"vlan": 100, "bridged": False, "ipaddr": "10.9.1.1", "prefix": 24}
BLUE: Final = {"vlan": 200, "bridged": True, "ipaddr": "10.9.2.1", "prefix": 24}
FLAT: Final = {"bridged": False, "ipaddr": "10.9.0.1", "prefix": 24}
NEARBY: Final = {100: "10.9.1.2", 200: "10.9.2.2", 0: "10.9.0.2"}
LIMITS: Final = {"ul": 500 * MBIT, "rt": 10 * MBIT}


@pytest.mark.parametrize(
    ("base", "bonds"),
    [
        ({"nic": "eth1"}, {}),
        (
            {"bonding": "bond7"},
            {"bond7": {"nics": ["eth1", "eth2"], "options": "mode=1 miimon=100"}},
        ),
    ],
    ids=["nic", "bond"],
)
def test_networks_are_shaped_as_the_engine_asks(
    clean: Site, base: dict[str, str], bonds: dict[str, Any]
) -> None:
    (device,) = base.values()
    traffic = Traffic(clean.shell, device)
    for vlan, address in NEARBY.items():
        clean.peer.vlan(vlan, f"{address}/24")
    red = base | RED | {"hostQos": shaped_by(30, **LIMITS)}
    blue = base | BLUE | {"hostQos": shaped_by(70)}
    clean.setup({"red": red, "blue": blue, "flat": base | FLAT}, bonds)

    # Only some of what is sent to a neighbour waits until its hardware address is known.
    clean.shell("\n".join(f"ping -q -c 1 -w 15 {address}" for address in NEARBY.values()))
    grown = traffic.grown({NEARBY[100]: 100, NEARBY[200]: 200, NEARBY[0]: 300})
    assert grown.keys() == {"1389:64", "1389:c8", _OTHERS}
    assert at_least(grown["1389:64"], 100)
    assert at_least(grown["1389:c8"], 200)
    assert at_least(grown[_OTHERS], 300)
    networks, reported = told(clean, device)
    assert reported == [
        {"vlan": 100, "hostQos": shaped_by(30, **LIMITS)},
        {"vlan": 200, "hostQos": shaped_by(70)},
    ]
    assert networks["red"]["hostQos"] == shaped_by(30, **LIMITS)
    assert "hostQos" not in networks["flat"]

    # An edit, and one that nobody confirms.
    flat = base | FLAT | {"hostQos": shaped_by(50)}
    refused = clean.engine.setup({"flat": flat}, connectivityCheck=True, connectivityTimeout=1)
    assert isinstance(refused, Refused)
    assert refused.code == 10
    assert traffic.classes().keys() == {"1389:64", "1389:c8", _OTHERS}
    clean.setup({"flat": flat, "red": {"remove": True}})
    clean.shell("\n".join(f"ping -q -c 1 -w 15 {NEARBY[vlan]}" for vlan in (0, 200)))
    grown = traffic.grown({NEARBY[200]: 200, NEARBY[0]: 300})
    assert grown.keys() == {"1389:c8", _UNTAGGED}
    assert at_least(grown["1389:c8"], 200)
    assert at_least(grown[_UNTAGGED], 300)
    assert [one["vlan"] for one in told(clean, device)[1]] == [-1, 200]

    clean.setup({"blue": base | BLUE, "flat": base | FLAT})
    assert traffic.classes() == {}
    assert "hfsc" not in dict(traffic.qdiscs())


def told(site: Site, device: str) -> tuple[Any, list[dict[str, Any]]]:
    """What capabilities say of the networks, and of the shaping of a device. A curve's `m1` and
    `d` are left out where they are 0."""
    caps = site.engine.caps()
    found = caps["nics"].get(device) or caps["bondings"][device]
    return caps["networks"], found.get("qos", [])


# --- by supervdsm's own code ----------------------------------------------------------------------


class Shaped(Traffic):
    """A NIC with VLANs; QoS by their numbers."""

    def shape(self, *qos: DeviceQos, calls: int = 0) -> tuple[DeviceQos, ...]:
        """Set the QoS, with so many system calls; return what is read of it."""
        found, refused = self.attempt(*qos, calls=calls)
        assert refused == 0
        return found

    def attempt(self, *qos: DeviceQos, calls: int = 0) -> tuple[tuple[DeviceQos, ...], int]:
        text = shlex.quote(msgspec.json.encode(qos).decode())
        command = f"podman exec -i supervdsm python3 - {self.device} {text} {calls} <{_SCRIPT}"
        answer = json.loads(self.shell(command))
        return msgspec.convert(answer["qos"], tuple[DeviceQos, ...]), answer["errno"]


def qos(vlan: int, weight: int = 10, ul: int = 0, rt: int = 0) -> DeviceQos:
    out = QosClass(
        ls=QosCurve(m2=weight),
        ul=QosCurve(m2=ul) if ul else msgspec.UNSET,
        rt=QosCurve(m2=rt) if rt else msgspec.UNSET,
    )
    return DeviceQos(HostQos(out), vlan)


@pytest.fixture(scope="module")
def nic(site: Site) -> Iterator[Shaped]:
    """eth1 with two VLANs, one of which sets a priority in its tags."""
    site.vm.copy_in(Path(__file__).with_name("shaping.py"), _SCRIPT)
    lines = []
    for vlan, priority in ((300, ""), (400, " egress-qos-map 0:5")):
        name = f"eth1.{vlan}"
        lines += [
            f"ip link add link eth1 name {name} type vlan id {vlan}{priority}",
            f"ip link set {name} up; ip addr add 10.8.{vlan // 100}.1/24 dev {name}",
            f"ip neigh add 10.8.{vlan // 100}.2 lladdr 02:00:00:00:00:99 dev {name}",
        ]
    site.shell("\n".join(lines))
    try:
        yield Shaped(site.shell, "eth1")
    finally:
        site.shell("ip link del eth1.300; ip link del eth1.400")


@pytest.fixture
def shaped(nic: Shaped) -> Iterator[Shaped]:
    before = nic.qdiscs()
    yield nic
    nic.shape()
    assert nic.qdiscs() == before


def test_a_vlan_is_known_by_its_number_whatever_the_priority(shaped: Shaped) -> None:
    shaped.shape(qos(-1), qos(300), qos(400))
    grown = shaped.grown({"10.8.3.2": 100, "10.8.4.2": 200})
    assert at_least(grown["1389:12c"], 100)
    assert at_least(grown["1389:190"], 200)


_CURVES: Final[Sequence[QosCurve]] = (
    QosCurve(m2=8),
    QosCurve(m2=100 * MBIT),
    QosCurve(m2=MAX_RATE),
    QosCurve(m1=MAX_RATE, d=2**32 - 1, m2=8),
    QosCurve(m1=80 * MBIT, d=12_345, m2=16 * MBIT),
    QosCurve(m1=8, d=1, m2=0),
    QosCurve(m1=123_456_789 * 8, d=987_654_321, m2=3_987_654_321 * 8),
    QosCurve(m1=777, d=5, m2=1_000_007),
)


def test_what_is_read_is_exactly_what_was_asked_for_as_far_as_the_kernel_can_hold_it(
    shaped: Shaped,
) -> None:
    weights = (QosCurve(m2=1), QosCurve(m2=100), QosCurve(m2=MAX_SHARE), QosCurve(m1=7, d=9, m2=3))
    asked = [
        DeviceQos(HostQos(QosClass(ls=weights[at % len(weights)], ul=curve, rt=curve)), vlan=at)
        for at, curve in enumerate(_CURVES)
    ]
    asked.append(DeviceQos(HostQos(QosClass(ls=QosCurve(m2=55))), vlan=4094))
    found = shaped.shape(*asked)
    assert found == as_kernel_has_it(asked)


def test_a_hundred_networks(shaped: Shaped) -> None:
    asked = [qos(vlan, weight=vlan, ul=vlan * MBIT) for vlan in range(1, 101)]
    assert shaped.shape(*asked) == tuple(asked)
    assert sum(kind == "fq_codel" for kind, _ in shaped.qdiscs()) == 101


def test_another_shape_takes_the_place_of_the_one_before(shaped: Shaped) -> None:
    shaped.shape(qos(100, ul=5 * MBIT), qos(200))
    asked = (qos(-1), qos(200, rt=MBIT))
    assert shaped.shape(*asked) == asked
    assert shaped.shape(*asked) == asked
    assert shaped.classes().keys() == {_UNTAGGED, "1389:c8"}


def test_a_shaping_that_was_cut_short_is_seen_and_made_whole(shaped: Shaped) -> None:
    asked = tuple(qos(vlan) for vlan in range(100, 150))
    for calls in (1, 2):
        assert shaped.shape(*asked, calls=calls) != asked
        assert shaped.shape(*asked) == asked
    assert shaped.shape(*asked, calls=3) == asked


def test_an_upper_limit_holds_the_rest_back(shaped: Shaped) -> None:
    shaped.shape(qos(-1), qos(300, ul=8000))
    shaped.send("10.8.3.2", 50, size=1400)
    _, waits = shaped.classes()["1389:12c"]
    assert waits > 0


def test_what_the_kernel_refuses_leaves_the_default_qdisc(shaped: Shaped) -> None:
    before = shaped.qdiscs()
    found, refused = shaped.attempt(qos(100), qos(200, weight=0))
    assert (found, refused) == ((), errno.EINVAL)
    assert shaped.qdiscs() == before


def test_somebody_else_s_qdisc_is_replaced_but_not_removed(shaped: Shaped) -> None:
    shaped.shell("tc qdisc replace dev eth1 root handle 7: tbf rate 1gbit burst 1m latency 50ms")
    try:
        assert shaped.shape() == ()
        assert shaped.qdiscs()[0] == ("tbf", True)
        assert shaped.shape(qos(100)) == (qos(100),)
    finally:
        shaped.shell("tc qdisc del dev eth1 root || true")
