# SPDX-License-Identifier: GPL-2.0-or-later
"""A supervdsm that lives in the test: it answers what it is told to and remembers its calls.

The process and host rings have the real one.
"""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from vdsm_contract.errors import ContractError, MountFailed, UmountFailed
from vdsm_contract.interfaces import Host, Network, Storage
from vdsm_contract.proxy import Supervdsm
from vdsm_contract.types import (
    Bridge,
    CpuVulnerabilities,
    HardwareInfo,
    InterfaceStats,
    KsmTuning,
    LldpInfo,
    LldpNeighbour,
    LldpTlv,
    MountUsers,
    NetworkCapabilities,
    NetworkStatistics,
    Nic,
    QemuConfMatch,
)

_ADDRESSING = {
    "addr": "",
    "netmask": "",
    "ipv4addrs": [],
    "ipv6addrs": [],
    "ipv6autoconf": False,
    "gateway": "",
    "ipv6gateway": "::",
    "ipv4defaultroute": False,
    "mtu": "1500",
    "dhcpv4": False,
    "dhcpv6": False,
}


def nic(**changes: object) -> Nic:
    return Nic(**{**_ADDRESSING, "hwaddr": "52:54:00:00:00:01", "speed": 1000, **changes})  # type: ignore[arg-type]


def bridge(**changes: object) -> Bridge:
    return Bridge(**{**_ADDRESSING, "ports": ["eth0"], "stp": "off", "opts": {}, **changes})  # type: ignore[arg-type]


def network_caps() -> NetworkCapabilities:
    """One bridge on one NIC; the bridge has the addresses."""
    return NetworkCapabilities(
        networks={},
        bondings={},
        bridges={
            "ovirtmgmt": bridge(
                addr="192.0.2.7",
                ipv4addrs=["192.0.2.7/24", "192.0.2.8/24"],
                ipv6addrs=["2001:db8::7/64"],
            )
        },
        nics={"eth0": nic(), "eth1": nic(addr="198.51.100.1", ipv4addrs=["198.51.100.1/24"])},
        vlans={},
        nameservers=["192.0.2.1"],
        supportsIPv6=True,
    )


class FakeHost(Host):
    def __init__(self) -> None:
        self.error: ContractError | None = None
        self.hardware = HardwareInfo(systemUUID="4c4c4544-0000-1111-2222-333344445555")
        self.hardware_error: ContractError | None = None
        self.hardware_calls = 0
        self.tuned: list[KsmTuning] = []

    def get_hardware_info(self) -> HardwareInfo:
        self.hardware_calls += 1
        self._fail(self.hardware_error or self.error)
        return self.hardware

    def get_cpu_vulnerabilities(self) -> CpuVulnerabilities:
        self._fail(self.error)
        return CpuVulnerabilities({"MELTDOWN": "(Not affected)"})

    def ksm_tune(self, tuning: KsmTuning) -> None:
        self._fail(self.error)
        self.tuned.append(tuning)

    def check_qemu_conf_contains(self, key: str, value: str) -> QemuConfMatch:
        self._fail(self.error)
        return QemuConfMatch(contains=(key, value) == ("vnc_tls", "1"))

    def _fail(self, error: ContractError | None) -> None:
        if error is not None:
            raise error


class FakeNetwork(Network):
    """Takes every change, unless `change_error` says otherwise, and hears no LLDP but on eth0."""

    def __init__(self) -> None:
        self.error: ContractError | None = None
        self.change_error: ContractError | None = None
        self.caps = network_caps()
        self.changes: list[tuple[object, ...]] = []
        self.lldp = LldpInfo(
            {
                "eth0": LldpNeighbour(
                    enabled=True,
                    tlvs=[
                        LldpTlv(5, "System Name", {"system name": "sw1"}),
                        LldpTlv(127, "MTU", {"mtu": "9236"}, oui=0x120F, subtype=4),
                    ],
                ),
                "eth1": LldpNeighbour(enabled=False, tlvs=[]),
            }
        )

    def setup_networks(
        self,
        networks: dict[str, object],
        bondings: dict[str, object],
        options: dict[str, object],
    ) -> None:
        self._change("setup", networks, bondings, options)

    def set_safe_network_config(self) -> None:
        self._change("safe")

    def change_numvfs(self, pci_path: str, numvfs: int) -> None:
        self._change("numvfs", pci_path, numvfs)

    def get_lldp_info(self, devices: list[str]) -> LldpInfo:
        if self.change_error is not None:
            raise self.change_error
        return LldpInfo({name: self.lldp.nics[name] for name in devices or self.lldp.nics})

    def _change(self, *change: object) -> None:
        if self.change_error is not None:
            raise self.change_error
        self.changes.append(change)

    def network_caps(self) -> NetworkCapabilities:
        if self.error is not None:
            raise self.error
        return self.caps

    def network_stats(self) -> NetworkStatistics:
        if self.error is not None:
            raise self.error
        eth0 = InterfaceStats(
            name="eth0",
            state="up",
            rx="1000",
            tx="2000",
            rxErrors="0",
            txErrors="0",
            rxDropped="3",
            txDropped="0",
            speed="1000",
            duplex="full",
            sampleTime=1.5,
        )
        return NetworkStatistics(network={"eth0": eth0}, rxDropped=3, txDropped=0)


@dataclass
class FakeStorage(Storage):
    """Mounts by writing a line into the tree's mountinfo; refuses like the kernel."""

    root: Path
    calls: list[tuple[str, ...]] = field(default_factory=list)
    mounts: dict[str, str] = field(default_factory=dict)
    fail_mount: dict[str, ContractError] = field(default_factory=dict)
    fail_access: dict[str, ContractError] = field(default_factory=dict)
    fail_umount: ContractError | None = None
    users: list[int] | ContractError = field(default_factory=list)
    """The processes that use any mount."""
    mount_anyway: bool = False
    """Whether a mount that fails was made nevertheless."""
    rendezvous: threading.Barrier | None = None

    def mount(
        self,
        fs_spec: str,
        fs_file: str,
        mnt_opts: str | None = None,
        vfs_type: str | None = None,
    ) -> None:
        self.calls.append(("mount", fs_spec, fs_file, mnt_opts or "", vfs_type or ""))
        if self.rendezvous:
            self.rendezvous.wait(10)
        error = self.fail_mount.get(fs_spec)
        if error and not self.mount_anyway:
            raise error
        if self.mounts.setdefault(fs_file, fs_spec) != fs_spec:
            raise MountFailed(fs_spec, fs_file, 32, "already a mount of something else")
        if not Path(fs_file).is_dir():
            raise MountFailed(fs_spec, fs_file, 32, "mount point does not exist")
        self._write()
        if error:
            raise error

    def umount(self, fs_file: str, force: bool = False, lazy: bool = False) -> None:
        self.calls.append(("umount", fs_file))
        if self.fail_umount:
            raise self.fail_umount
        if self.mounts.pop(fs_file, None) is None:
            raise UmountFailed(fs_file, errno.EINVAL, os.strerror(errno.EINVAL))
        self._write()

    def fuser(self, fs_file: str) -> MountUsers:
        if isinstance(self.users, ContractError):
            raise self.users
        return MountUsers(self.users)

    def validate_access(
        self, user: str, groups: list[str], target_path: str, perms: int = 7
    ) -> None:
        self.calls.append(("access", user, ",".join(groups), target_path, str(perms)))
        if user in self.fail_access:
            raise self.fail_access[user]

    def _write(self) -> None:
        lines = [
            f"{n} 27 0:50 / {self.escaped(target)} rw - nfs {self.escaped(spec)} rw\n"
            for n, (target, spec) in enumerate(self.mounts.items(), 100)
        ]
        (self.root / "proc/self/mountinfo").write_text("".join(lines))

    @staticmethod
    def escaped(text: str) -> str:
        return text.replace("\\", "\\134").replace(" ", "\\040")


class FakeSupervdsm(Supervdsm):
    """Has the three rooms, and no connection."""

    def __init__(self, root: Path) -> None:
        self.fake_host = FakeHost()
        self.fake_network = FakeNetwork()
        self.fake_storage = FakeStorage(root)
        self.host = self.fake_host
        self.network = self.fake_network
        self.storage = self.fake_storage
