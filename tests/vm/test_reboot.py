# SPDX-License-Identifier: GPL-2.0-or-later
"""Flow 7 of the map on a machine with a kernel of its own: it reboots, and the pair is back."""

import pytest

from machines import SERVES, Machine


@pytest.mark.parametrize("how", ["reboot", "power-cut"])
def test_7_the_pair_is_back_after(vm: Machine, how: str) -> None:
    before = vm.sh("cat /proc/sys/kernel/random/boot_id")
    if how == "power-cut":
        vm.sh("echo kept >/root/file; sync")
        vm.tool_run("power-cut", vm.name)
        assert vm.run("true", check=False).returncode == 1
        vm.tool_run("boot", vm.name, timeout=900)
    else:
        vm.tool_run("reboot", vm.name, timeout=900)
    vm.wait(SERVES, timeout=300)
    assert vm.sh("cat /proc/sys/kernel/random/boot_id") != before
    if how == "power-cut":
        assert vm.sh("cat /root/file") == "kept"
    assert vm.client("Host", "echo", "message=back") == "back"
    assert "eth0" in vm.client("Host", "getNetworkCapabilities")["nics"]
