# SPDX-License-Identifier: GPL-2.0-or-later
"""What the supervdsm of a real host keeps of root's privileges, as the kernel says."""

from collections.abc import Iterator

import pytest

from host.test_networks import setup
from host.test_storage import connect
from machines import Machine
from supervdsm.server import privileges


def statuses(host: Machine) -> list[dict[str, str]]:
    """Return /proc/PID/task/TID/status of all of supervdsm's threads."""
    text = host.sh(f"tail -n +1 /proc/{host.pid('supervdsm')}/task/*/status")
    return [
        dict(line.split(":\t", 1) for line in one.splitlines() if ":\t" in line)
        for one in text.split("==>")[1:]
    ]


def test_no_thread_has_more_than_the_table_says(host: Machine) -> None:
    found = statuses(host)
    assert len(found) > 1
    for status in found:
        sets = {name: int(status[f"Cap{name}"], 16) for name in ("Prm", "Eff", "Bnd", "Inh", "Amb")}
        kept = privileges.mask()
        assert sets == {"Prm": kept, "Eff": kept, "Bnd": kept, "Inh": 0, "Amb": 0}
        assert status["NoNewPrivs"] == "1"
        assert int(status["Seccomp"]) == 2  # a filter


def test_the_bits_are_those_of_the_names(host: Machine) -> None:
    rows = [line.split() for line in host.sh("systemd-analyze capability").splitlines()]
    numbers = {name.upper(): int(row[0]) for name, *row in filter(None, rows) if row[0].isdigit()}
    assert {name: kept.bit for name, kept in privileges.KEPT.items()}.items() <= numbers.items()


def test_the_operator_s_tool_is_not_limited_by_it(host: Machine) -> None:
    bounds = host.sh("podman exec supervdsm sh -c 'grep ^CapBnd /proc/self/status'")
    assert int(bounds.split()[1], 16) & ~privileges.mask()


@pytest.fixture
def read_only_tree(host: Machine) -> Iterator[None]:
    """supervdsm sees the host's files read-only; nobody else does."""
    host.sh("ip link add veth_p type veth peer name far_p; mkdir -p /srv/ro; chown 36:36 /srv/ro")
    _remount_tree(host, "ro")
    yield
    _remount_tree(host, "rw")
    setup(host, {"networks": {NAME: {"remove": True}}}, check=False)
    connect(host, "LOCALFS", LOCAL, "disconnect")
    host.sh("ip link del veth_p; rmdir /srv/ro")


def _remount_tree(host: Machine, how: str) -> None:
    enter = ("nsenter", f"--target={host.pid('supervdsm')}", "--mount")
    host.run(*enter, "mount", "-o", f"remount,bind,{how}", "/host")


NAME = "readonly"
NETWORK = {
    "nic": "veth_p", "bridged": False, "bootproto": "none",
    "ipaddr": "198.51.100.9", "netmask": "255.255.255.0",
}  # fmt: skip
LOCAL = {"id": "00000000-0000-0000-0000-000000000000", "connection": "/srv/ro"}


@pytest.mark.usefixtures("read_only_tree")
def test_of_the_host_s_tree_name_servers_and_localfs_alone_need_to_write(host: Machine) -> None:
    """The table of docs/security.md, "What it uses of the host's files"."""
    setup(host, {"networks": {NAME: NETWORK}})

    before = host.sh("cat /etc/resolv.conf; ip -4 -o addr show veth_p")
    with_servers = {**NETWORK, "defaultRoute": True, "nameservers": ["198.51.100.53"]}
    assert "Read-only file system" in setup(host, {"networks": {NAME: with_servers}}, check=False)
    assert host.sh("cat /etc/resolv.conf; ip -4 -o addr show veth_p") == before

    assert connect(host, "LOCALFS", LOCAL) != 0
