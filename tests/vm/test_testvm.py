# SPDX-License-Identifier: GPL-2.0-or-later
"""The tool containers/testvm itself: its words and its NICs, tried on the ring's VM.

That it survives a power cut is seen in test_network_boot.py, and that nothing is left of
it in test_install.py, which has one of its own.
"""

import secrets
import sys
from hashlib import sha256
from pathlib import Path

from machines import Machine


def test_exec_passes_status_stdin_and_arguments_unchanged(vm: Machine) -> None:
    assert vm.run("sh", "-c", "exit 7", check=False).returncode == 7
    content = bytes(range(256)) * 1000
    assert vm.run("sha256sum", stdin=content).stdout.split()[0] == sha256(content).hexdigest()
    words = ["a  b", "$HOME", "'", '"', "\\", "--", ""]
    assert vm.run("printf", "%s|", *words).stdout == "|".join(words) + "|"


def test_copy_keeps_bytes_and_mode_both_ways(vm: Machine, tmp_path: Path) -> None:
    content = secrets.token_bytes(300_000)
    (tmp_path / "there").write_bytes(content)
    (tmp_path / "there").chmod(0o750)
    vm.copy_in(tmp_path / "there", "/root/")
    assert vm.sh("stat -c %a /root/there") == "750"
    vm.copy_out("/root/there", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content


def test_its_kernel_bonds_the_two_nics_that_are_the_tests_own(vm: Machine) -> None:
    slaves = vm.sh(
        "modprobe bonding max_bonds=0; ip link add bond0 type bond mode active-backup;"
        "for nic in eth1 eth2; do ip link set $nic down; ip link set $nic master bond0; done;"
        "ip link set bond0 up; cat /sys/class/net/bond0/bonding/slaves; ip link delete bond0"
    )
    assert slaves == "eth1 eth2"


def test_a_peer_reaches_port_54321(vm: Machine) -> None:
    ask = "import ssl; print(ssl.get_server_certificate(('192.0.2.2', 54321), timeout=60))"
    answer = vm.tool_run("exec", "--peer", vm.name, "--", sys.executable, "-c", ask)
    assert answer.stdout.strip() == vm.sh("cat /etc/pki/vdsm/certs/vdsmcert.pem")
