# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of a real kernel as lines of a snapshot."""

import os
import shutil
import subprocess
import sys

import pytest

from process.vdsm_tool.conftest import ROOT

NETWORK = """
ip link set lo up
for number in 1 2 3; do
    ip link add nic$number type veth peer name far$number
    ip link set nic$number up
    ip link set far$number up
done
ip link add red type bridge
ip link set nic1 master red
ip link set red mtu 1400 up
ip addr add 192.0.2.2/24 dev red
ip addr add 198.51.100.1/24 dev nic2
ip addr add 2001:db8::1/64 dev nic2 nodad
ip route add default via 192.0.2.1
ip route add 203.0.113.0/24 nexthop via 192.0.2.9 dev red nexthop via 198.51.100.9 dev nic2
ip -6 route add 2001:db8:1::/48 via 2001:db8::2
ip route add 10.0.0.0/8 via 192.0.2.1 table 1234 metric 5 src 192.0.2.2 proto static
ip route add 10.1.0.0/16 via 192.0.2.1 proto bird
ip route add blackhole 172.16.0.0/12
ip rule add from 192.0.2.0/24 table 1234 priority 3200
ip rule add iif red to 192.0.2.0/24 table 1234 priority 3201
"""
PRINT = (
    "from vdsm_tool.upgrade import networks; "
    "print(*networks.lines(networks.read(), ['nic1']), sep='\\n')"
)


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root and iproute2"
)
def test_a_kernels_networks_are_lines() -> None:
    script = f'set -e\n{NETWORK}\nexec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script, sys.executable, PRINT],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert sorted(done.stdout.splitlines()) == [
        "address 127.0.0.1/8 on lo",
        "address 192.0.2.2/24 on red",
        "address 198.51.100.1/24 on nic2",
        "address 2001:db8::1/64 on nic2",
        "address ::1/128 on lo",
        "blackhole route to 172.16.0.0/12 in table 254",
        "link lo: NIC, mtu 65536, up",
        "link nic1: veth, port of red, mtu 1500, up",
        "link nic2: veth, mtu 1500, up",
        "link red: bridge, mtu 1400, up",
        "route to 0.0.0.0/0 via 192.0.2.1 on red in table 254",
        "route to 10.0.0.0/8 via 192.0.2.1 on red from 192.0.2.2 metric 5 in table 1234",
        "route to 2001:db8:1::/48 via 2001:db8::2 on nic2 metric 1024 in table 254",
        "route to 203.0.113.0/24 via 192.0.2.9 on red and via 198.51.100.9 on nic2 in table 254",
        "rule 3200 of IPv4 from 192.0.2.0/24 to table 1234",
        "rule 3201 of IPv4 to 192.0.2.0/24 iif red to table 1234",
    ]
