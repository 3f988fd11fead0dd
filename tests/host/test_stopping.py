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
    # The moments differ: before, while and after its modules are loaded.
    script = f"""
        systemctl stop {unit}.service
        systemctl start --no-block {unit}.service
        until [ "$(podman inspect -f '{{{{.State.Running}}}}' {unit} 2>&1)" = true ]; do :; done
        sleep $1
        begin=$(date +%s)
        systemctl stop {unit}.service
        echo $(($(date +%s) - begin))
    """
    took = [
        int(host.run("sh", "-euc", script, "stop", str(pause / 10)).stdout) for pause in range(4)
    ]
    assert max(took) < 10, f"seconds: {took}"
