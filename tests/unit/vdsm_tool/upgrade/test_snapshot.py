# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a host must be there after an upgrade, and how its loss is told."""

import json
from dataclasses import replace

import msgspec
import pytest

from vdsm_contract.asked import Asked
from vdsm_tool.host import Host
from vdsm_tool.upgrade import networks, snapshot
from vdsm_tool.upgrade.networks import Address, Kernel, Link, Route
from vdsm_tool.upgrade.snapshot import Snapshot

CLIENTS = (
    "systemctl list-units --plain --no-legend --full --state=active --type=service vdsm-dhcp@*"
)
MOUNTS = """\
22 1 254:0 / / rw shared:1 - ext4 /dev/vda rw
40 22 0:50 / /rhev/data-center/mnt/nfs1:_my\\040data rw - nfs4 nfs1:/my\\040data rw,vers=4.2
41 22 0:51 / /rhev/data-center/mnt/nfs2:_iso ro shared:9 - nfs4 nfs2:/iso rw
42 22 0:52 / /rhevolution rw shared:9 - tmpfs tmpfs rw
"""
KERNEL = Kernel(
    links=[
        Link(1, "eth0", "", master=4, mtu=9000),
        Link(2, "eth1", "veth"),
        Link(3, "vnet0", "tun", master=4),
        Link(4, "red", "bridge", mtu=9000),
        Link(5, "eth0.7", "vlan", lower=1, vlan=7, up=False),
        Link(6, "veth9", "veth"),
        Link(7, "bond0", "bond", mode=4),
        Link(8, "wan", "veth"),
    ],
    addresses=[Address(4, "192.0.2.1/24"), Address(8, "203.0.113.9/32")],
    routes=[
        Route("0.0.0.0/0", 254, (("192.0.2.254", 4),), metric=5, source="192.0.2.1"),
        Route("198.51.100.0/24", 254, (("192.0.2.8", 4), ("", 7))),
        Route("10.9.0.0/16", 254, (("", 6),)),
        Route("10.0.0.0/8", 254, (("", 0),), kind="blackhole "),
    ],
    rules=["rule 3200 of IPv4 from 192.0.2.0/24 to table 7"],
    shaping=[(1, "hfsc 1388:"), (6, "tbf 1:")],
)


def test_links_are_those_that_stay() -> None:
    lines = [line for line in networks.lines(KERNEL, ["eth1"]) if line.startswith("link")]
    assert lines == [
        "link eth0: NIC, port of red, mtu 9000, up",
        "link eth1: veth, mtu 1500, up",
        "link red: bridge, mtu 9000, up",
        "link eth0.7: vlan, tag 7 on eth0, mtu 1500, down",
        "link bond0: bond, mode 4, mtu 1500, up",
        "link wan: veth, mtu 1500, up",
    ]


def test_what_belongs_to_links_that_stay_is_noted() -> None:
    lines = [line for line in networks.lines(KERNEL, []) if not line.startswith("link")]
    assert lines == [
        "address 192.0.2.1/24 on red",
        "address 203.0.113.9/32 on wan",
        "route to 0.0.0.0/0 via 192.0.2.254 on red from 192.0.2.1 metric 5 in table 254",
        "route to 198.51.100.0/24 on bond0 and via 192.0.2.8 on red in table 254",
        "blackhole route to 10.0.0.0/8 in table 254",
        "rule 3200 of IPv4 from 192.0.2.0/24 to table 7",
        "shaping on eth0: hfsc 1388:",
    ]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "read", lambda: KERNEL)


@pytest.mark.usefixtures("kernel")
def test_a_snapshot_has_mounts_of_storage_and_dhcp_clients(
    host: Host, answers: dict[str, str]
) -> None:
    (host.proc / "1/mountinfo").write_text(MOUNTS)
    nets = host.path("/var/lib/vdsm/staging/netconf/nets")
    nets.mkdir(parents=True)
    (nets / "blue").write_text(json.dumps({"nic": "eth1"}))
    answers[CLIENTS] = "vdsm-dhcp@eth0.7.service loaded active running vdsm's DHCP client\n"
    taken = snapshot.take(host)
    assert taken.mounts == [
        "mount of nfs1:/my data on /rhev/data-center/mnt/nfs1:_my data: nfs4, rw",
        "mount of nfs2:/iso on /rhev/data-center/mnt/nfs2:_iso: nfs4, ro",
    ]
    assert "DHCP client of eth0.7" in taken.networks
    assert "link eth1: veth, mtu 1500, up" in taken.networks


BEFORE = Snapshot(
    mounts=["mount of [fd00::1]:/data on /rhev/x: nfs4, rw"],
    networks=["address 192.0.2.1/24 on red", "link red: bridge, mtu 9000, up"],
)


def test_the_same_host_misses_nothing_whatever_comes() -> None:
    after = replace_networks(BEFORE, [*BEFORE.networks, "link blue: bridge, mtu 1500, up"])
    assert snapshot.missing(BEFORE, BEFORE).lost == []
    assert snapshot.missing(BEFORE, after).lost == []


def test_what_is_gone_and_what_differs_is_told_apart() -> None:
    after = Snapshot(mounts=[], networks=["link red: bridge, mtu 1500, up"])
    assert snapshot.missing(BEFORE, after).lost == [
        "The mount of [fd00::1]:/data on /rhev/x: nfs4, rw is gone",
        "The address 192.0.2.1/24 on red is gone",
        "The link red changed from “bridge, mtu 9000, up” to “bridge, mtu 1500, up”",
    ]


def test_one_of_two_mounts_on_each_other_is_missed() -> None:
    twice = Snapshot(mounts=BEFORE.mounts * 2, networks=[])
    once = Snapshot(mounts=BEFORE.mounts, networks=[])
    assert len(snapshot.missing(twice, once).lost) == 1


def test_another_release_may_have_written_lines_of_another_form() -> None:
    data = json.loads(msgspec.json.encode(BEFORE)) | {"format": 2, "more": ["unknown"]}
    read = msgspec.json.decode(json.dumps(data), type=Snapshot)
    assert snapshot.comparable(BEFORE)
    assert not snapshot.comparable(read)


def test_a_link_that_is_set_down_is_missed() -> None:
    down = replace(KERNEL, links=[replace(link, up=False) for link in KERNEL.links])
    before = Snapshot([], list(networks.lines(KERNEL, [])))
    after = Snapshot([], list(networks.lines(down, [])))
    assert len(snapshot.missing(before, after).lost) == 4  # the VLAN was down before


RED = 42402108
"""oVirt's routing table for red: Adler-32 of its name."""
SOUND = Snapshot(
    mounts=[
        "mount of nfs1:/data on /rhev/data-center/mnt/nfs1:_data: nfs4, rw",
        "mount of nfs1:/data on /rhev/data-center/mnt/nfs1:_data2: nfs4, rw",
        "mount of /dev/sda on /rhev/data-center/mnt/nfs1:_data/below: ext4, rw",
    ],
    networks=[
        "link red: bridge, mtu 9000, up",
        "link eth0: NIC, port of red, mtu 9000, up",
        "link red.7: vlan, tag 7 on red, mtu 1500, up",
        "link on: NIC, mtu 1500, up",
        "address 192.0.2.1/24 on red",
        f"route to 0.0.0.0/0 via 192.0.2.254 on red in table {RED}",
        f"route to 10.0.0.0/8 via 198.51.100.1 on eth9 in table {RED}",
        "route to 198.51.100.0/24 via 192.0.2.8 on red and on eth9 in table 254",
        "route to 10.1.0.0/16 via 192.0.2.8 on red in table 77",
        f"rule 3200 of IPv4 from 192.0.2.0/24 to table {RED}",
        "rule 3200 of IPv4 to 192.0.2.0/24 iif red to table 254",
        f"rule 100 of IPv4 from 192.0.2.0/24 to table {RED}",
        "rule 3200 of IPv4 from 192.0.2.0/24 to table 77",
        "rule 3201 of IPv4 to 192.0.2.0/24 iif red to table 254",
        "shaping on eth9: hfsc 1388:",
        "shaping on red: clsact ffff:",
        "shaping on red: hfsc 1388:",
        "DHCP client of red",
    ],
)
NOTHING = Snapshot([], [])


def test_an_unmount_that_was_asked_for_is_no_loss_nor_what_it_took_along() -> None:
    asked = Asked(mounts=frozenset({"/rhev/data-center/mnt/nfs1:_data"}))
    found = snapshot.missing(SOUND, replace_mounts(SOUND, []), asked)
    assert [line.split(": ")[0] for line in found.lost] == [
        "The mount of nfs1:/data on /rhev/data-center/mnt/nfs1:_data2"
    ]
    assert len(found.mounts) == 2


def test_a_mount_that_came_back_otherwise_is_no_loss_once_its_unmount_was_asked_for() -> None:
    asked = Asked(mounts=frozenset({"/rhev/data-center/mnt/nfs1:_data2"}))
    lines = [line.replace("_data2: nfs4, rw", "_data2: nfs4, ro") for line in SOUND.mounts]
    found = snapshot.missing(SOUND, replace_mounts(SOUND, lines), asked)
    assert (found.lost, len(found.mounts)) == ([], 1)
    assert len(snapshot.missing(SOUND, replace_mounts(SOUND, lines)).lost) == 1


def test_only_what_names_a_device_of_a_change_that_was_asked_for_is_no_loss() -> None:
    bare = replace_networks(SOUND, [])
    found = snapshot.missing(SOUND, bare, Asked(devices=frozenset({"red"})))
    assert [line.removeprefix("The ").removesuffix(" is gone") for line in found.lost] == [
        "link eth0: NIC, port of red, mtu 9000, up",
        "link on: NIC, mtu 1500, up",
        "link red.7: vlan, tag 7 on red, mtu 1500, up",
        f"route to 10.0.0.0/8 via 198.51.100.1 on eth9 in table {RED}",
        f"rule 100 of IPv4 from 192.0.2.0/24 to table {RED}",
        "rule 3200 of IPv4 from 192.0.2.0/24 to table 77",
        "rule 3201 of IPv4 to 192.0.2.0/24 iif red to table 254",
        "shaping on eth9: hfsc 1388:",
    ]
    assert len(found.networks) == len(SOUND.networks) - len(found.lost)


def test_the_end_of_a_mirroring_takes_the_room_for_its_filters_and_nothing_else() -> None:
    found = snapshot.missing(SOUND, NOTHING, Asked(mirrored=frozenset({"red"})))
    assert found.networks == ["The shaping on red: clsact ffff: is gone"]


def test_a_device_whose_name_is_a_word_of_the_lines_excuses_only_itself() -> None:
    found = snapshot.missing(SOUND, NOTHING, Asked(devices=frozenset({"on", "up", "NIC", "of"})))
    assert found.networks == ["The link on: NIC, mtu 1500, up is gone"]


def replace_mounts(one: Snapshot, lines: list[str]) -> Snapshot:
    return msgspec.structs.replace(one, mounts=lines)


def replace_networks(one: Snapshot, lines: list[str]) -> Snapshot:
    return msgspec.structs.replace(one, networks=lines)
