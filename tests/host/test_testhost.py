# SPDX-License-Identifier: GPL-2.0-or-later
"""The tool containers/testhost itself: its words, several hosts at once, and no traces left."""

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TESTHOST = Path(__file__).parents[2] / "containers" / "testhost"
LIMIT = 600  # s: the first one may have to build the tree

pytestmark = pytest.mark.timeout(LIMIT)


def tool(*words: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [TESTHOST, *words], input=stdin, capture_output=True, timeout=LIMIT, check=False
    )


def inside(name: str, *argv: str, stdin: bytes = b"") -> str:
    """Return what a command in the host printed; it must succeed."""
    done = tool("exec", name, "--", *argv, stdin=stdin)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def traces(name: str) -> list[str]:
    """Return whatever on this machine still belongs to a host: mounts, files, processes, ..."""
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if name in line]
    found = [
        *Path("/run/netns").glob(f"*{name}*"),
        *Path("/var/lib/vdsm-testenv").rglob(f"*{name}*"),
    ]
    for line in Path("/proc/mounts").read_text().splitlines():
        if line.split()[2] == "cgroup2":
            found += Path(line.split()[1]).glob(f"*{name}*")
    processes = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if name in command and int(process.parent.name) != os.getpid():
            processes.append(command)
    return [*mounts, *map(str, found), *processes]


@pytest.fixture
def new_name() -> Iterator[Callable[[], str]]:
    """Give names that nobody else has; what was started under them is ended."""
    names: list[str] = []

    def new() -> str:
        names.append(f"tool-{secrets.token_hex(4)}")
        return names[-1]

    yield new
    for name in names:
        tool("down", name)


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    name = f"tool-{secrets.token_hex(4)}"
    up = tool("up", "--bare", "--name", name)
    assert up.returncode == 0, up.stderr.decode()
    yield name
    tool("down", name)


def test_exec_returns_the_status_of_the_command(host: str) -> None:
    assert tool("exec", host, "--", "sh", "-c", "exit 7").returncode == 7
    assert tool("exec", host, "--", "no-such-command").returncode == 127


def test_exec_passes_stdin_and_arguments_unchanged(host: str) -> None:
    content = bytes(range(256)) * 1000
    assert tool("exec", host, "--", "cat", stdin=content).stdout == content
    words = ["a  b", "$HOME", "'", '"', "\\", "--", ""]
    assert inside(host, "printf", "%s|", *words) == "|".join(words) + "|"


def test_exec_runs_in_the_host_s_own_cgroup(host: str) -> None:
    assert inside(host, "tail", "-n1", "/proc/self/cgroup") == "0::/init.scope"


def test_a_command_ends_with_its_caller(host: str) -> None:
    marker = f"{secrets.randbelow(10**9)}.5"
    with subprocess.Popen(
        [TESTHOST, "exec", host, "--", "sh", "-c", f"echo ready; exec sleep {marker}"],
        stdout=subprocess.PIPE,
    ) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == b"ready\n"
        caller.kill()
    inside(host, "timeout", "10", "sh", "-c", f"while pgrep -f 'sleep {marker}$'; do :; done")


def test_copy_keeps_bytes_and_mode_both_ways(host: str, tmp_path: Path) -> None:
    content = secrets.token_bytes(1_000_000)
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "file").write_bytes(content)
    (tree / "sub" / "file").chmod(0o750)
    assert tool("copy", str(tree), f"{host}:/root/").returncode == 0
    assert inside(host, "stat", "-c", "%a %s", "/root/tree/sub/file") == "750 1000000"
    assert tool("copy", f"{host}:/root/tree/sub/file", str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back").read_bytes() == content
    assert (tmp_path / "back").stat().st_mode & 0o777 == 0o750


def test_copy_says_what_is_missing(host: str, tmp_path: Path) -> None:
    done = tool("copy", f"{host}:/no/such", str(tmp_path))
    assert done.returncode == 1
    assert b"/no/such" in done.stderr


def test_a_peer_reaches_the_host_and_nobody_else_does(host: str) -> None:
    serve = "import socket; s = socket.create_server(('', 54321)); print('ready', flush=True); "
    serve += "s.accept()[0].sendall(b'hello')"
    with subprocess.Popen(
        [TESTHOST, "exec", host, "--", "python3", "-c", serve], stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        with pytest.raises(OSError), socket.create_connection(("192.0.2.2", 54321), timeout=1):
            pass
        ask = "import socket; print(socket.create_connection(('192.0.2.2', 54321), 60).recv(9))"
        answer = tool("exec", "--peer", host, "--", sys.executable, "-c", ask)
    assert answer.stdout == b"b'hello'\n", answer.stderr.decode()


def test_hosts_started_at_once_have_their_own_network_and_identity(
    new_name: Callable[[], str],
) -> None:
    names = [new_name(), new_name()]
    ups = [subprocess.Popen([TESTHOST, "up", "--bare", "--name", name]) for name in names]
    assert [up.wait(LIMIT) for up in ups] == [0, 0]
    inside(names[0], "ip", "link", "add", "br7", "type", "bridge")
    assert "br7" in inside(names[0], "ip", "link")
    assert "br7" not in inside(names[1], "ip", "link")
    both = tool("exec", *names, "--", "cat", "/etc/machine-id").stdout.split()
    assert len(set(both)) == 2


def test_up_again_keeps_the_running_host(host: str) -> None:
    before = inside(host, "cat", "/proc/sys/kernel/random/boot_id")
    assert tool("up", "--bare", "--name", host).returncode == 0
    assert inside(host, "cat", "/proc/sys/kernel/random/boot_id") == before


def test_after_a_power_cut_it_boots_with_its_disk_but_not_its_network(
    new_name: Callable[[], str],
) -> None:
    name = new_name()
    assert tool("up", "--bare", "--name", name).returncode == 0
    inside(name, "sh", "-c", "echo kept > /root/file; ip link add br7 type bridge")
    assert tool("power-cut", name).returncode == 0
    refused = tool("exec", name, "--", "true")
    assert refused.returncode == 1
    assert b"off" in refused.stderr
    assert tool("boot", name).returncode == 0
    assert inside(name, "cat", "/root/file") == "kept"
    assert "br7" not in inside(name, "ip", "link")
    assert tool("reboot", name).returncode == 0
    assert inside(name, "systemctl", "is-system-running") == "running"


def test_down_leaves_nothing_and_may_be_said_twice(new_name: Callable[[], str]) -> None:
    name = new_name()
    assert tool("up", "--bare", "--name", name).returncode == 0
    assert traces(name)
    loop = Path(inside(name, "sh", "-c", "truncate -s 1M /root/img; losetup -f --show /root/img"))
    attached = Path("/sys/block") / loop.name / "loop"
    assert attached.exists()
    assert tool("down", name).returncode == 0
    assert traces(name) == []
    assert not attached.exists()
    assert tool("down", name).returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_nothing(new_name: Callable[[], str], number: int) -> None:
    name = new_name()
    with subprocess.Popen(
        [TESTHOST, "up", "--bare", "--name", name], stderr=subprocess.PIPE, text=True
    ) as up:
        assert up.stderr is not None
        for line in up.stderr:
            if line.startswith("booting"):
                up.send_signal(number)
                break
        rest = up.stderr.read()
    assert up.returncode == 128 + number, rest
    assert traces(name) == []


def test_a_failed_up_leaves_nothing_and_shows_the_console(
    new_name: Callable[[], str], tmp_path: Path
) -> None:
    broken = tmp_path / "systemd-nspawn"
    broken.write_text("#!/bin/sh\necho 'no such machine today' >&2\nexit 1\n")
    broken.chmod(0o755)
    name = new_name()
    up = subprocess.run(
        [TESTHOST, "up", "--bare", "--name", name],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
    )
    assert up.returncode == 1
    assert b"no such machine today" in up.stderr
    assert traces(name) == []


@pytest.mark.parametrize("name", ["../x", "a/b", "A", "-a", "a" * 33])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    done = tool("up", "--bare", f"--name={name}")
    assert done.returncode == 1
    assert b"is no name for a machine" in done.stderr


def test_a_command_on_a_host_that_is_not_there_says_how_to_get_it() -> None:
    done = tool("exec", "nobody-made-this", "--", "true")
    assert done.returncode == 1
    assert b"hint: containers/testhost up --name nobody-made-this" in done.stderr
