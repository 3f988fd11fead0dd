# SPDX-License-Identifier: GPL-2.0-or-later
"""The readers of /proc and /sys, on a recorded host and on stranger ones."""

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.vdsm import trees
from vdsm.host import cpu, hba, memory, netconf, numa, system
from vdsm.host.once import Once
from vdsm.host.tree import HostTree

_CPU = "/sys/devices/system/cpu"


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return trees.recorded(tmp_path)


@given(st.sets(st.integers(0, 4096)))
def test_a_cpu_list_reads_back(numbers: set[int]) -> None:
    text = ",".join(map(str, sorted(numbers)))
    assert cpu.parse_list(text) == sorted(numbers)


def test_a_cpu_list_with_ranges() -> None:
    assert cpu.parse_list("0-2,8,10-11\n") == [0, 1, 2, 8, 10, 11]
    with pytest.raises(ValueError):
        cpu.parse_list("none")


def test_the_cpu_model(tree: HostTree) -> None:
    model = cpu.model(tree)
    assert model.name == "AMD EPYC"
    assert model.speed == "2596.150"
    assert model.flags == tuple(trees.FLAGS.split())


def test_an_arm_cpu(tmp_path: Path) -> None:
    trees.write(tmp_path, {"/proc/cpuinfo": "processor : 0\nFeatures : fp asimd\n"})
    model = cpu.model(HostTree(tmp_path))
    assert model.flags == ("fp", "asimd")
    assert model.name == ""


def test_two_sockets_with_hyperthreads(tmp_path: Path) -> None:
    tree = trees.recorded(tmp_path)
    files = {f"{_CPU}/online": "0-7\n"}
    for n in range(8):
        where = f"{_CPU}/cpu{n}/topology"
        files[f"{where}/physical_package_id"] = str(n // 4 % 2)
        files[f"{where}/core_id"] = str(n // 2 % 2)
        files[f"{where}/thread_siblings_list"] = f"{n // 2 * 2}-{n // 2 * 2 + 1}"
    trees.write(tmp_path, files)
    topology = cpu.topology(tree, {n: n // 4 for n in range(8)})
    assert (topology.sockets, topology.cores, topology.threads) == (2, 4, 8)
    assert topology.cpus[5] == cpu.Cpu(5, node=1, socket=1, die=0, core=0, siblings="4-5")


def test_an_architecture_without_packages(tmp_path: Path) -> None:
    trees.write(
        tmp_path,
        {f"{_CPU}/online": "0-1\n", f"{_CPU}/cpu0/topology/physical_package_id": "-1\n"},
    )
    topology = cpu.topology(HostTree(tmp_path), {})
    assert (topology.sockets, topology.cores, topology.threads) == (1, 2, 2)


def test_memory(tree: HostTree) -> None:
    info = memory.meminfo(tree)
    assert info["MemTotal"] == 24684092
    assert memory.free_or_cached(info) == 20324412 + 1572 + 68164 + 178728
    assert memory.transparent_hugepages(tree) == "madvise"
    assert list(memory.hugepages(tree)) == [2048, 1048576]
    assert memory.hugepages(tree)[2048] == {"free_hugepages": 3, "nr_hugepages": 4}
    assert memory.ksm(tree) == memory.Ksm(True, 100, True, 2)


def test_a_kernel_without_the_features(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    assert memory.hugepages(tree) == {}
    assert memory.transparent_hugepages(tree) == "never"
    assert memory.ksm(tree) == memory.Ksm(False, 0, False, 0)
    assert numa.balancing(tree) is numa.Balancing.UNKNOWN
    assert system.selinux_mode(tree) == -1
    assert system.kdump(tree) is system.Kdump.UNKNOWN
    assert not system.kvm(tree)
    assert not system.fips(tree)
    assert hba.inventory(tree) == {"iSCSI": [{"InitiatorName": ""}], "FC": []}
    assert system.operating_system(tree).name == "unknown"


def test_numa_nodes(tree: HostTree) -> None:
    (node,) = numa.nodes(tree)
    assert (node.number, node.cpus, node.distances) == (0, (0, 1), (10,))
    assert (node.total, node.free) == (24684092, 20324412)
    assert node.hugepages == {2048: {"free_hugepages": 3, "nr_hugepages": 4}}


def test_a_kernel_without_numa_is_one_node(tmp_path: Path) -> None:
    keep = {k: v for k, v in trees.RECORDED.items() if "/system/node/" not in k}
    trees.write(tmp_path, keep)
    (node,) = numa.nodes(HostTree(tmp_path))
    assert (node.cpus, node.total) == ((0, 1), 24684092)


@pytest.mark.parametrize(("mode", "expected"), [("0", 0), ("1", 1), ("2", 0), ("3", 1)])
def test_numa_balancing(tmp_path: Path, mode: str, expected: int) -> None:
    trees.write(tmp_path, {"/proc/sys/kernel/numa_balancing": mode})
    assert numa.balancing(HostTree(tmp_path)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ID=debian\nVERSION_ID=13\n", ("Debian", "13", "")),
        ('ID="rhel"\nVERSION_ID="9.4"\n', ("RHEL", "9", "4")),
        ('ID="centos"\nVERSION_ID="9"\nID_LIKE="rhel fedora"\n', ("RHEL", "9", "")),
        ('ID="ol"\nID_LIKE="fedora rhel"\nVERSION_ID="8.1"\n', ("RHEL", "8", "1")),
        ("ID=fedora\nVERSION_ID=42\n", ("Fedora", "42", "")),
        ("ID=centos\nVARIANT_ID=ovirt-node\nVERSION_ID=4.5\n", ("oVirt Node", "4.5", "")),
        ("ID=arch\n", ("unknown", "", "")),
        ("# nothing\n\nnonsense\nID='half\n", ("unknown", "", "")),
    ],
)
def test_the_operating_system(tmp_path: Path, text: str, expected: tuple[str, ...]) -> None:
    trees.write(tmp_path, {"/run/host/os-release": text, "/etc/os-release": "ID=image\n"})
    found = system.operating_system(HostTree(tmp_path))
    assert (found.name, found.version, found.release) == expected


def test_the_kernel(tree: HostTree) -> None:
    kernel = system.kernel(tree)
    assert (kernel.version, kernel.release) == ("6.12.48+deb13", "amd64")
    assert not kernel.realtime
    assert system.boot_time(tree) == 1795358568
    assert system.nested_virtualization(tree)


def test_fibre_channel_and_iscsi(tmp_path: Path) -> None:
    trees.write(
        tmp_path,
        {
            "/sys/class/fc_host/host5/port_name": "0x2100001b32a0b0c0\n",
            "/sys/class/fc_host/host5/node_name": "0x2000001b32a0b0c0\n",
            "/sys/class/scsi_host/host5/model_name": "QLE2460\n",
            "/sys/class/scsi_host/host5/model_desc": "4Gb FC HBA\n",
            "/etc/iscsi/initiatorname.iscsi": "# ours\nInitiatorName=iqn.1994-05.org.ovirt:a1\n",
        },
    )
    assert hba.inventory(HostTree(tmp_path)) == {
        "iSCSI": [{"InitiatorName": "iqn.1994-05.org.ovirt:a1"}],
        "FC": [
            {
                "model": "QLE2460 - 4Gb FC HBA",
                "wwpn": "2100001b32a0b0c0",
                "wwnn": "2000001b32a0b0c0",
            }
        ],
    }


_STAGING, _PERSISTENT = (
    f"/var/lib/vdsm/{kind}/netconf/nets/ovirtmgmt" for kind in ("staging", "persistence")
)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, False),
        ({_STAGING: '{"mtu": 1500}'}, True),
        ({_PERSISTENT: '{"mtu": 1500}'}, True),
        ({_STAGING: '{"mtu": 1500, "stp": false}', _PERSISTENT: '{"stp":false,"mtu":1500}'}, False),
        ({_STAGING: '{"mtu": 1500}', _PERSISTENT: '{"mtu": 9000}'}, True),
        ({_STAGING: "{", _PERSISTENT: "{"}, False),
        ({_STAGING: "[" * 5000, _PERSISTENT: "{"}, True),
        ({f"{_STAGING}/deeper": "1"}, True),
    ],
)
def test_net_config_dirty(tmp_path: Path, files: dict[str, str], expected: bool) -> None:
    trees.write(tmp_path, files)
    assert netconf.dirty(HostTree(tmp_path)) is expected
    assert netconf.dirty_text(HostTree(tmp_path)) == str(expected)


@pytest.fixture
def switched(tmp_path: Path) -> Path:
    """The directory of state as supervdsm writes it: links to trees that are the same."""
    state = tmp_path / "var/lib/vdsm"
    for kind in ("staging", "persistence"):
        trees.write(state / kind, {"netconf.AbCdEfGh/nets/red": '{"mtu": 1500}'})
        (state / kind / "netconf").symlink_to("netconf.AbCdEfGh")
    return state


def test_net_config_dirty_follows_the_links(tmp_path: Path, switched: Path) -> None:
    assert not netconf.dirty(HostTree(tmp_path))
    trees.write(switched / "staging", {"netconf.IjKlMnOp/nets/red": '{"mtu": 9000}'})
    (switched / "staging/netconf").unlink()
    (switched / "staging/netconf").symlink_to("netconf.IjKlMnOp")
    assert netconf.dirty(HostTree(tmp_path))


def test_a_configuration_that_is_replaced_while_it_is_read_is_read_again(
    tmp_path: Path, switched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, turns = netconf._read, iter((True, False, False, False))

    def replacing(tree: HostTree) -> dict[tuple[str, str], bytes]:
        files = read(tree)
        if next(turns):  # both are switched, and the old trees go, after the first was read
            for kind in ("staging", "persistence"):
                trees.write(switched / kind, {"netconf.IjKlMnOp/nets/red": '{"mtu": 9000}'})
                (switched / kind / "netconf").unlink()
                (switched / kind / "netconf").symlink_to("netconf.IjKlMnOp")
                shutil.rmtree(switched / kind / "netconf.AbCdEfGh")
        return files

    monkeypatch.setattr(netconf, "_read", replacing)
    assert not netconf.dirty(HostTree(tmp_path))


def test_once_does_not_queue_its_callers_behind_one_another() -> None:
    """A supervdsm that hangs fails each call after its limit, not one after the other."""
    both = threading.Barrier(2)

    def find() -> int:
        both.wait(5)
        return 7

    fact = Once(find)
    with ThreadPoolExecutor(2) as threads:
        assert [each.result() for each in [threads.submit(fact.get) for _ in range(2)]] == [7, 7]


def test_once_remembers_only_a_success() -> None:
    answers: Iterator[OSError | int] = iter([OSError("not yet"), 7, 8])

    def find() -> int:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    fact = Once(find)
    with pytest.raises(OSError, match="not yet"):
        fact.get()
    assert [fact.get(), fact.get()] == [7, 7]
