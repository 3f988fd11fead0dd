# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration's files: oVirt's layout both ways, and files that nobody should obey."""

import json
import logging
import os
from pathlib import Path

import pytest

from supervdsm.network.config import Bond, Configuration, Device, Network
from supervdsm.network.transaction import durable
from supervdsm.network.transaction.store import Store
from vdsm_contract.types import HostQos, QosClass, QosCurve

MANAGEMENT = Network(
    name="ovirtmgmt",
    nic="eth0",
    defaultRoute=True,
    ipaddr="192.0.2.2",
    netmask="255.255.255.0",
    gateway="192.0.2.1",
    nameservers=("192.0.2.53",),
    hostQos=HostQos(QosClass(ls=QosCurve(m2=1000))),
    custom={"bridge_opts": "ageing_time=0", "of_a_hook": "1"},
)
STORAGE = Network(name="storage", bonding="bond0", vlan=100, bridged=False, mtu=9000)
BOND = Bond(
    name="bond0", nics=("eth1", "eth2"), options="mode=4 miimon=100", hwaddr="02:00:00:00:00:01"
)
WHOLE = Configuration(
    networks={"ovirtmgmt": MANAGEMENT, "storage": STORAGE},
    bonds={"bond0": BOND},
    devices={"eth3": Device(name="eth3", numvfs=4)},
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def by_upstream(state_dir: Path, which: str, *, link: bool = True) -> Path:
    """Write a configuration as oVirt's vdsm does: json.dump with four blanks, an absolute link."""
    tree = state_dir / which / ("netconf.Kd93kDjs" if link else "netconf")
    for kind, entities in {
        "nets": {
            "ovirtmgmt": {
                "nic": "eth0",
                "ipv6autoconf": False,
                "bridged": True,
                "ipaddr": "192.0.2.2",
                "netmask": "255.255.255.0",
                "gateway": "192.0.2.1",
                "dhcpv6": False,
                "stp": False,
                "mtu": 1500,
                "switch": "legacy",
                "defaultRoute": True,
                "bootproto": "none",
                "nameservers": ["192.0.2.53"],
                "hostQos": {"out": {"ls": {"m2": 1000}}},
                "custom": {"bridge_opts": "ageing_time=0", "of_a_hook": 1},
                "unknown": {"to": ["us"]},
            },
            "storage": {
                "bonding": "bond0",
                "vlan": 100,
                "bridged": False,
                "mtu": 9000,
                "switch": "legacy",
                "defaultRoute": False,
                "bootproto": "none",
                "dhcpv6": False,
                "ipv6autoconf": False,
                "nameservers": [],
            },
        },
        "bonds": {
            "bond0": {
                "nics": ["eth1", "eth2"],
                "options": "mode=4 miimon=100",
                "hwaddr": "02:00:00:00:00:01",
                "switch": "legacy",
            }
        },
        "devices": {"eth3": {"sriov": {"numvfs": 4}}},
    }.items():
        (tree / kind).mkdir(parents=True)
        for name, attributes in entities.items():
            with (tree / kind / name).open("w") as file:
                json.dump(attributes, file, indent=4)
    if link:
        (state_dir / which / "netconf").symlink_to(tree)
    return tree


def without_link(state_dir: Path, which: str) -> Path:
    return by_upstream(state_dir, which, link=False)


def test_nothing_was_ever_written(store: Store) -> None:
    assert store.running() == store.persistent() == Configuration()


@pytest.mark.parametrize("write", [by_upstream, without_link])
def test_what_upstream_wrote_is_read(store: Store, tmp_path: Path, write: object) -> None:
    assert callable(write)
    write(tmp_path, "staging")
    assert store.running() == WHOLE
    assert store.persistent() == Configuration()


@pytest.mark.parametrize("write", [by_upstream, without_link])
def test_what_upstream_wrote_is_replaced(store: Store, tmp_path: Path, write: object) -> None:
    assert callable(write)
    old = write(tmp_path, "persistence")
    less = Configuration(networks={"ovirtmgmt": MANAGEMENT})
    store.save("persistence", less)
    assert store.persistent() == less
    store.collect()
    assert len(list((tmp_path / "persistence").iterdir())) == 2
    assert (tmp_path / "persistence/netconf").is_symlink()
    assert old.name == "netconf" or not old.exists()


def test_upstream_reads_what_we_wrote(store: Store, tmp_path: Path) -> None:
    theirs = by_upstream(tmp_path / "theirs", "staging")
    store.save("staging", WHOLE)
    link = tmp_path / "staging/netconf"
    assert link.is_symlink()
    assert link.resolve().parent == tmp_path / "staging"
    for kind in ("nets", "bonds", "devices"):
        assert {file.name for file in (link / kind).iterdir()} == {
            file.name for file in (theirs / kind).iterdir()
        }
        for file in (link / kind).iterdir():
            expected = json.loads((theirs / kind / file.name).read_text())
            if file.name == "ovirtmgmt":
                del expected["unknown"]
                expected["custom"]["of_a_hook"] = "1"
            text = file.read_text()
            assert json.loads(text) == expected
            assert text == json.dumps(json.loads(text), indent=4)
            assert file.stat().st_mode & 0o777 == 0o644


def test_to_persist_changes_no_byte(store: Store, tmp_path: Path) -> None:
    running = by_upstream(tmp_path, "staging")
    store.persist()
    assert store.persistent() == WHOLE
    for kind in ("nets", "bonds", "devices"):
        for file in (running / kind).iterdir():
            copy = tmp_path / "persistence/netconf" / kind / file.name
            assert copy.read_bytes() == file.read_bytes()


def test_what_cannot_be_read_is_not_persisted_as_nothing(store: Store, tmp_path: Path) -> None:
    store.save("staging", WHOLE)
    store.persist()
    (tmp_path / "staging").chmod(0o777)
    with pytest.raises(durable.Untrusted):
        store.persist()
    assert store.persistent() == WHOLE


def test_a_prepared_tree_is_used_only_once_it_is_switched_to(store: Store) -> None:
    tree = store.prepare("staging", WHOLE)
    assert store.running() == Configuration()
    for _ in range(2):  # a recovery may come to it again
        store.switch("staging", tree)
        assert store.running() == WHOLE


def test_there_is_no_switching_to_a_tree_that_is_not_there(store: Store) -> None:
    store.save("staging", WHOLE)
    with pytest.raises(FileNotFoundError):
        store.switch("staging", "netconf.00000000")
    assert store.running() == WHOLE


def test_old_and_half_written_trees_are_removed(store: Store, tmp_path: Path) -> None:
    store.save("staging", Configuration())
    store.save("staging", WHOLE)
    kept = store.prepare("staging", Configuration())
    in_use = (tmp_path / "staging/netconf").readlink().name
    for name in ("netconf.abcdefgh", "netconf.ABCD1234.ln", "other", "netconf.short"):
        (tmp_path / "staging" / name).mkdir()
    (tmp_path / "staging/netconf.zzzzzzzz.ln").symlink_to("nowhere")
    store.collect(keep=[kept])
    left = {path.name for path in (tmp_path / "staging").iterdir()}
    assert left == {"netconf", in_use, kept, "other", "netconf.short"}
    assert store.running() == WHOLE


def test_a_reader_is_not_robbed_of_the_tree_that_it_reads(store: Store, tmp_path: Path) -> None:
    store.save("staging", WHOLE)
    with durable.opened((tmp_path / "staging/netconf").resolve()) as old:
        store.save("staging", Configuration())
        assert os.stat("nets/ovirtmgmt", dir_fd=old).st_size > 0


def test_a_changed_file_is_read_anew(store: Store, tmp_path: Path) -> None:
    store.save("staging", WHOLE)
    assert store.running() is store.running()
    file = tmp_path / "staging/netconf/nets/storage"
    file.write_text(file.read_text().replace("9000", "2000"))
    assert store.running().networks["storage"].mtu == 2000


def spoil(file: Path, how: str) -> None:
    match how:
        case "fifo":
            file.unlink()
            os.mkfifo(file)
        case "link":
            file.symlink_to(file.rename(file.parents[3] / "elsewhere"))
        case "directory":
            file.unlink()
            file.mkdir()
        case "huge":
            file.write_bytes(b" " * 100_000 + file.read_bytes())
        case "writable":
            file.chmod(0o666)
        case "foreign":
            if os.geteuid() != 0:
                pytest.skip("needs root to give a file away")
            os.chown(file, 36, 36)
        case _:
            file.write_bytes(how.encode("latin-1"))


@pytest.mark.parametrize(
    "how",
    [
        "fifo", "link", "directory", "huge", "writable", "foreign", "", "{", "[]", "null",
        '"text"', '{"vlan": "x"}', '{"mtu": []}', "\xff\xfe", "[" * 50_000,
    ],
)  # fmt: skip
def test_a_file_that_nobody_should_obey_is_left_out_and_named(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    store.save("staging", WHOLE)
    spoil(tmp_path / "staging/netconf/nets/storage", how)
    with caplog.at_level(logging.ERROR):
        assert set(store.running().networks) == {"ovirtmgmt"}
    assert '"storage" is left out' in caplog.text
    assert store.running().bonds == WHOLE.bonds


@pytest.mark.parametrize("where", ["staging", "staging/netconf", "staging/netconf/nets"])
def test_a_directory_that_others_can_write_is_not_obeyed(
    store: Store, tmp_path: Path, where: str
) -> None:
    store.save("staging", WHOLE)
    (tmp_path / where).chmod(0o777)
    assert "storage" not in store.running().networks
    with pytest.raises(durable.Untrusted):
        store.load("staging")


def test_a_link_to_elsewhere_is_not_followed(store: Store, tmp_path: Path) -> None:
    elsewhere = by_upstream(tmp_path / "elsewhere", "staging")
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging/netconf").symlink_to(elsewhere)
    assert store.running() == Configuration()


def test_names_that_can_be_no_file_s_are_refused(store: Store) -> None:
    for name in ("", ".", "..", "a/b", "a\0b"):
        with pytest.raises(ValueError, match="can be no file's name"):
            store.save("staging", Configuration(networks={name: Network(name=name)}))
