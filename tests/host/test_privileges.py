# SPDX-License-Identifier: GPL-2.0-or-later
"""What the supervdsm of a real host keeps of root's privileges, as the kernel says."""

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
