# SPDX-License-Identifier: GPL-2.0-or-later
"""Flow 7 of the map on a machine with a kernel of its own: it reboots, and the pair is back."""

import pytest

from machines import Machine


@pytest.mark.parametrize("how", ["reboot", "power-cut"])
def test_7_the_pair_is_back_after(vm: Machine, how: str) -> None:
    before = vm.sh("cat /proc/sys/kernel/random/boot_id")
    if how == "power-cut":
        vm.sh("sync")
        vm.tool_run("power-cut", vm.name)
        vm.tool_run("boot", vm.name, timeout=900)
    else:
        vm.tool_run("reboot", vm.name, timeout=900)
    active = "systemctl is-active --quiet vdsm.target vdsm.service supervdsm.service"
    vm.wait(active, timeout=300)
    assert vm.sh("cat /proc/sys/kernel/random/boot_id") != before
    assert vm.client("Host", "echo", "message=back") == "back"
    assert "eth0" in vm.client("Host", "getNetworkCapabilities")["nics"]
