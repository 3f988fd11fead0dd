# SPDX-License-Identifier: GPL-2.0-or-later
"""A service that is stopped while it starts ends at once, whatever it is doing then."""

from collections.abc import Iterator

import pytest

from machines import Machine


@pytest.fixture(autouse=True)
def running_pair(host: Machine) -> Iterator[None]:
    yield
    host.sh("systemctl start supervdsm.service vdsm.service")


@pytest.mark.parametrize("unit", ["vdsm", "supervdsm"])
def test_a_stop_during_the_start_is_not_lost(host: Machine, unit: str) -> None:
    # From its first line on, Python handles SIGTERM (bit 14 of SigCgt). The moments differ: while
    # and after the modules are loaded. Before that line the kernel keeps the signal from a pid 1.
    script = f"""
        systemctl stop {unit}.service
        systemctl start --no-block {unit}.service
        until pid=$(podman inspect -f '{{{{.State.Pid}}}}' {unit} 2>/dev/null) &&
            [ "$pid" -gt 0 ] &&
            caught=$(awk '/^SigCgt/ {{ print $2 }}' "/proc/$pid/status") &&
            [ $((0x$caught >> 14 & 1)) = 1 ]; do :; done
        sleep $1
        begin=$(date +%s)
        systemctl stop {unit}.service
        echo $(($(date +%s) - begin))
    """
    took = [
        int(host.run("sh", "-euc", script, "stop", str(pause / 10)).stdout) for pause in range(3)
    ]
    assert max(took) < 10, f"seconds: {took}"
