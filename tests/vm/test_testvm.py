# SPDX-License-Identifier: GPL-2.0-or-later
"""The tool containers/testvm itself: its words, its NICs, and that it survives a power cut."""

import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTVM = Path(__file__).parents[2] / "containers" / "testvm"
LIMIT = 1500  # s: emulated, and the first one has to build its disk

pytestmark = pytest.mark.timeout(LIMIT)


def tool(*words: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [TESTVM, *words], input=stdin, capture_output=True, timeout=LIMIT, check=False
    )


def inside(name: str, *argv: str) -> str:
    """Return what a command in the VM printed; it must succeed."""
    done = tool("exec", name, "--", *argv)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


@pytest.fixture(scope="module")
def vm() -> Iterator[str]:
    name = f"tool-{secrets.token_hex(4)}"
    up = tool("up", "--bare", "--name", name)
    assert up.returncode == 0, up.stderr.decode()
    yield name
    tool("down", name)
    assert not Path("/var/lib/vdsm-testenv/vm", name).exists()
    assert not list(Path("/run/netns").glob(f"*{name}*"))


def test_exec_passes_status_stdin_and_arguments_unchanged(vm: str) -> None:
    assert tool("exec", vm, "--", "sh", "-c", "exit 7").returncode == 7
    content = bytes(range(256)) * 1000
    assert tool("exec", vm, "--", "cat", stdin=content).stdout == content
    words = ["a  b", "$HOME", "'", '"', "\\", "--", ""]
    assert inside(vm, "printf", "%s|", *words) == "|".join(words) + "|"


def test_copy_keeps_bytes_and_mode_both_ways(vm: str, tmp_path: Path) -> None:
    content = secrets.token_bytes(300_000)
    (tmp_path / "there").write_bytes(content)
    (tmp_path / "there").chmod(0o750)
    assert tool("copy", str(tmp_path / "there"), f"{vm}:/root/").returncode == 0
    assert inside(vm, "stat", "-c", "%a", "/root/there") == "750"
    assert tool("copy", f"{vm}:/root/there", str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back").read_bytes() == content


def test_its_kernel_bonds_the_two_nics_that_are_the_tests_own(vm: str) -> None:
    inside(vm, "modprobe", "bonding", "max_bonds=0")
    inside(vm, "ip", "link", "add", "bond0", "type", "bond", "mode", "active-backup")
    inside(vm, "ip", "link", "set", "eth1", "master", "bond0")
    inside(vm, "ip", "link", "set", "eth2", "master", "bond0")
    inside(vm, "ip", "link", "set", "bond0", "up")
    assert inside(vm, "cat", "/sys/class/net/bond0/bonding/slaves") == "eth1 eth2"
    inside(vm, "ip", "link", "delete", "bond0")


def test_a_peer_reaches_port_54321(vm: str) -> None:
    serve = "import socket; s = socket.create_server(('', 54321)); print('ready', flush=True); "
    serve += "s.accept()[0].sendall(b'hello')"
    with subprocess.Popen(
        [TESTVM, "exec", vm, "--", "python3", "-c", serve], stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        ask = "import socket; print(socket.create_connection(('192.0.2.2', 54321), 30).recv(9))"
        answer = tool("exec", "--peer", vm, "--", sys.executable, "-c", ask)
    assert answer.stdout == b"b'hello'\n", answer.stderr.decode()


def test_after_a_power_cut_it_boots_with_what_was_synced(vm: str) -> None:
    inside(vm, "sh", "-c", "echo kept > /root/file; sync")
    before = inside(vm, "cat", "/proc/sys/kernel/random/boot_id")
    assert tool("power-cut", vm).returncode == 0
    assert tool("exec", vm, "--", "true").returncode == 1
    boot = tool("boot", vm)
    assert boot.returncode == 0, boot.stderr.decode()
    assert inside(vm, "cat", "/root/file") == "kept"
    assert inside(vm, "cat", "/proc/sys/kernel/random/boot_id") != before
