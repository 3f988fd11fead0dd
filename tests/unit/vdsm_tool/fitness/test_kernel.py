# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a kernel feature is found, and what its absence means."""

import gzip
import shutil
from collections.abc import Callable

import pytest

from vdsm_tool.finding import Finding, Level
from vdsm_tool.fitness import kernel
from vdsm_tool.host import Host

FEATURES = [kernel.overlay, kernel.bridge, kernel.bonding, kernel.vlan, kernel.nfs]


@pytest.mark.parametrize("check", FEATURES)
def test_a_module_or_a_built_in_feature_is_well(
    host: Host, check: Callable[[Host], Finding]
) -> None:
    assert check(host).level is Level.OK


@pytest.mark.parametrize(
    ("check", "level"),
    [
        (kernel.overlay, Level.FAIL),
        (kernel.bridge, Level.FAIL),
        (kernel.bonding, Level.WARN),
        (kernel.vlan, Level.WARN),
        (kernel.nfs, Level.WARN),
    ],
)
def test_a_kernel_that_lacks_a_feature(
    host: Host, check: Callable[[Host], Finding], level: Level
) -> None:
    for name in ("modules.builtin", "modules.dep"):
        host.path(f"/lib/modules/6.12.1/{name}").write_text("")
    assert check(host).level is level


@pytest.mark.parametrize("check", FEATURES)
def test_a_kernel_of_which_nothing_is_known_is_unknown(
    host: Host, check: Callable[[Host], Finding]
) -> None:
    shutil.rmtree(host.path("/lib"))
    assert check(host).level is Level.UNKNOWN


def test_the_kernels_own_configuration_is_read(host: Host) -> None:
    shutil.rmtree(host.path("/lib"))
    config = b"CONFIG_BRIDGE=y\n# CONFIG_BONDING is not set\nCONFIG_NFS_FS=m\n"
    (host.proc / "config.gz").write_bytes(gzip.compress(config))
    assert kernel.bridge(host).level is Level.OK
    assert kernel.bonding(host).level is Level.WARN
    assert kernel.nfs(host).level is Level.WARN  # a module that is not installed


def test_a_loaded_module_or_known_file_system_is_well(host: Host) -> None:
    shutil.rmtree(host.path("/lib"))
    host.path("/sys/module/bonding").mkdir(parents=True)
    (host.proc / "filesystems").write_text("nodev\toverlay\n")
    assert kernel.bonding(host).level is Level.OK
    assert kernel.overlay(host).level is Level.OK


def test_the_calls_of_this_kernel_are_tried(host: Host) -> None:
    assert kernel.calls(host).level is Level.OK


def test_a_call_that_no_kernel_has_is_missed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kernel._CALLS, "no_such_call", 100_000)
    finding = kernel.calls(host)
    assert finding.level is Level.FAIL
    assert "no_such_call" in finding.detail


def test_the_peers_pidfd_is_asked_for(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_SO_PEERPIDFD", 9999)
    assert kernel.peer_pidfd(host).level is Level.WARN


def test_no_dev_kvm_is_a_warning(host: Host) -> None:
    assert kernel.kvm(host).level is Level.WARN
