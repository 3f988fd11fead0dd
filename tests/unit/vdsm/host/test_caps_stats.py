# SPDX-License-Identifier: GPL-2.0-or-later
"""getCapabilities and getStats as a whole, on the recorded host with a supervdsm of the test."""

from pathlib import Path

import pytest

from unit.vdsm import fakes, trees
from unit.vdsm.fakes import FakeSupervdsm
from vdsm.host.addresses import device_of
from vdsm.host.caps import Capabilities
from vdsm.host.sampling import Sampler
from vdsm.host.stats import Statistics, Vms
from vdsm.host.tree import HostTree
from vdsm.jsonrpc import schema, typespec
from vdsm.jsonrpc.errors import JSON
from vdsm_contract.config import Config
from vdsm_contract.errors import HardwareUnavailable, SupervdsmUnavailable
from vdsm_contract.types import HardwareInfo

ENGINE_NEEDS = """
HBAInventory networks bondings nics vlans bridges clusterLevels supportedENGINEs cpuFlags cpuCores
cpuSockets cpuThreads memSize kvmEnabled emulatedMachines packages2 domain_versions
supported_block_size fipsEnabled selinux lastClientIface
"""  # upstream-vdsm 4


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return trees.recorded(tmp_path)


@pytest.fixture
def supervdsm(tmp_path: Path) -> FakeSupervdsm:
    return FakeSupervdsm(tmp_path)


def _read(supervdsm: FakeSupervdsm, tree: HostTree) -> dict[str, JSON]:
    return Capabilities(supervdsm, tree, Config()).read(local="192.0.2.7", client="203.0.113.9")


def _statistics(supervdsm: FakeSupervdsm, tree: HostTree) -> Statistics:
    return Statistics(supervdsm, tree, Sampler(tree))


def _fits(value: JSON, name: str) -> None:
    """Fails unless `value` is what oVirt's type `name` says, to the letter."""
    types = schema.load().types
    assert typespec.check(value, types[name], name, types) == value


def test_capabilities_have_what_the_engine_needs(supervdsm: FakeSupervdsm, tree: HostTree) -> None:
    caps = _read(supervdsm, tree)
    assert not [key for key in ENGINE_NEEDS.split() if key not in caps]


def test_capabilities_fit_ovirts_type(supervdsm: FakeSupervdsm, tree: HostTree) -> None:
    _fits(_read(supervdsm, tree), "VdsmCapabilities")


def test_capabilities_of_the_recorded_host(supervdsm: FakeSupervdsm, tree: HostTree) -> None:
    caps = _read(supervdsm, tree)
    expected: dict[str, JSON] = {
        "cpuCores": "2",
        "cpuFlags": trees.FLAGS.replace(" ", ","),
        "cpuModel": "AMD EPYC",
        "cpuSockets": "1",
        "cpuSpeed": "2596.150",
        "cpuThreads": "2",
        "fipsEnabled": False,
        "hugepages": [2048, 1048576],
        "kernelArgs": "console=ttyS0 quiet root=/dev/vda",
        "kernelFeatures": {"MELTDOWN": "(Not affected)"},
        "kvmEnabled": "true",
        "lastClient": "203.0.113.9",
        "lastClientIface": "ovirtmgmt",
        "memSize": "24105",
        "nestedVirtualization": True,
        "netConfigDirty": "False",
        "numaNodeDistance": {"0": [10]},
        "numaNodes": {
            "0": {
                "cpus": [0, 1],
                "totalMemory": "24105",
                "hugepages": {"2048": {"totalPages": "4"}},
            }
        },
        "onlineCpus": "0,1",
        "operatingSystem": {
            "name": "Debian",
            "version": "13",
            "release": "",
            "pretty_name": "Debian GNU/Linux 13",
        },
        "selinux": {"mode": "-1"},
        "vncEncrypted": "true",
        "uuid": "4c4c4544-0000-1111-2222-333344445555",
    }
    assert {key: caps[key] for key in expected} == expected


def test_the_configured_host_id_comes_first(supervdsm: FakeSupervdsm, tree: HostTree) -> None:
    trees.write(tree.root, {"/etc/vdsm/vdsm.id": "11111111-2222-3333-4444-555555555555\n"})
    assert _read(supervdsm, tree)["uuid"] == "11111111-2222-3333-4444-555555555555"


def test_a_host_without_dmi_has_no_id(supervdsm: FakeSupervdsm, tree: HostTree) -> None:
    supervdsm.fake_host.hardware_error = HardwareUnavailable("no DMI")
    assert _read(supervdsm, tree)["uuid"] == ""
    supervdsm.fake_host.hardware_error = None
    supervdsm.fake_host.hardware = HardwareInfo(systemProductName="a machine")
    assert _read(supervdsm, tree)["uuid"] == ""


def test_no_half_answer_without_supervdsm(supervdsm: FakeSupervdsm, tree: HostTree) -> None:
    supervdsm.fake_network.error = SupervdsmUnavailable("refused")
    with pytest.raises(SupervdsmUnavailable):
        _read(supervdsm, tree)
    with pytest.raises(SupervdsmUnavailable):
        _statistics(supervdsm, tree).read(Vms())
    supervdsm.fake_network.error = None
    supervdsm.fake_host.error = SupervdsmUnavailable("refused")
    with pytest.raises(SupervdsmUnavailable):
        _read(supervdsm, tree)


def test_hardware_is_read_until_it_was_found(supervdsm: FakeSupervdsm, tree: HostTree) -> None:
    caps, host = Capabilities(supervdsm, tree, Config()), supervdsm.fake_host
    host.hardware_error = HardwareUnavailable("not yet")
    with pytest.raises(HardwareUnavailable):
        caps.hardware()
    host.hardware_error = None
    for _ in range(3):
        assert caps.hardware() == {"systemUUID": "4c4c4544-0000-1111-2222-333344445555"}
    assert host.hardware_calls == 2


@pytest.mark.parametrize(
    ("address", "device"),
    [
        ("192.0.2.7", "ovirtmgmt"),
        ("192.0.2.8", "ovirtmgmt"),
        ("2001:db8::7", "ovirtmgmt"),
        ("2001:0db8:0:0::7", "ovirtmgmt"),
        ("198.51.100.1", "eth1"),
        ("fe80::1%eth9", "eth9"),
        ("127.0.0.1", "lo"),
        ("::1", "lo"),
        ("192.0.2.9", ""),
        ("", ""),
        ("not an address", ""),
    ],
)
def test_the_device_that_the_client_came_in_by(address: str, device: str) -> None:
    assert device_of(address, fakes.network_caps()) == device


def test_statistics_fit_ovirts_type(supervdsm: FakeSupervdsm, tree: HostTree) -> None:
    _fits(_statistics(supervdsm, tree).read(Vms()), "HostStats")


def test_statistics_of_the_recorded_host(supervdsm: FakeSupervdsm, tree: HostTree) -> None:
    stats = _statistics(supervdsm, tree).read(Vms(count=3, active=2, incoming=1))
    expected: dict[str, JSON] = {
        "anonHugePages": "8",
        "bootTime": "1795358568",
        "cpuIdle": "100.00",
        "cpuLoad": "0.63",
        "cpuUser": "0.00",
        "ksmState": True,
        "ksmPages": 100,
        "memFree": (20324412 + 1572 + 68164 + 178728) // 1024,
        "memShared": 2,
        "memUsed": "17",
        "netConfigDirty": "False",
        "numaNodeMemFree": {
            "0": {
                "memFree": "19848",
                "memPercent": 18,
                "hugepages": {"2048": {"freePages": "3"}},
            }
        },
        "rxDropped": "3",
        "swapFree": 1024,
        "swapTotal": 2047,
        "thpState": "madvise",
        "txDropped": "0",
        "vmActive": 2,
        "vmCount": 3,
        "vmMigrating": 1,
    }
    assert {key: stats[key] for key in expected} == expected


def test_disks_that_are_not_there_are_left_out(supervdsm: FakeSupervdsm, tree: HostTree) -> None:
    disks = _statistics(supervdsm, tree).read(Vms())["diskStats"]
    assert isinstance(disks, dict)
    assert sorted(disks) == ["/", "/tmp"]


def test_cpu_usage_appears_with_the_second_sample(supervdsm: FakeSupervdsm, tree: HostTree) -> None:
    now = iter([0.0, 10.0])
    with Sampler(tree, interval=3600, clock=lambda: next(now)) as sampler:
        trees.write(
            tree.root,
            {"/proc/stat": "cpu 17003 0 11582 207423 1154 0 368 866\nbtime 1795358568\n"},
        )
        stats = Statistics(supervdsm, tree, sampler).read(Vms())
    assert (stats["cpuUser"], stats["cpuSys"], stats["cpuIdle"]) == ("50.00", "0.00", "50.00")


def test_network_statistics(supervdsm: FakeSupervdsm, tree: HostTree) -> None:
    found = _statistics(supervdsm, tree).network()
    assert found["rxDropped"] == 3
    assert isinstance(found["network"], dict)
    assert sorted(found["network"]) == ["eth0"]
