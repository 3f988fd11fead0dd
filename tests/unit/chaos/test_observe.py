# SPDX-License-Identifier: GPL-2.0-or-later
"""Each thing that may be leaked is found; and the report tells what was seen."""

import copy
import json
from collections import Counter
from typing import Any

import pytest

from chaos import observe
from chaos.model import EFFECT, Call, Violation
from chaos.report import Result, as_json, as_text, percentile, survived

ID = "0123456789abcdef" * 4
LOOK: dict[str, Any] = {
    "health": {"inFlight": 2, "overdue": []},
    "containers": ["supervdsm running", "vdsm running"],
    "units": {"vdsm": "running", "supervdsm": "running"},
    "processes": {"vdsm": ["vdsm", "vdsm"], "supervdsm": ["supervdsm"]},
    "fds": {"vdsm": ["/dev/null"] * 10, "supervdsm": ["socket:[1]"] * 10},
    "zombies": [],
    "mounts": ["/", f"/var/lib/containers/{ID}/merged", "/rhev/data-center/mnt/_srv"],
    "journal": [],
}


def unsteady(*, quiet: bool = False, **changed: Any) -> list[str]:
    look = copy.deepcopy(LOOK)
    for name, value in changed.items():
        look[name] = value
    return observe.unsteady(look, observe.at_rest(LOOK), quiet=quiet)


def test_at_rest_nothing_is_wrong() -> None:
    assert unsteady() == []


def test_another_container_and_other_storage_mounts_are_no_leak() -> None:
    assert unsteady(mounts=["/", f"/var/lib/containers/{ID[::-1]}/merged"]) == []


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"containers": ["supervdsm running"]}, "containers"),
        ({"containers": [*LOOK["containers"], "old exited"]}, "containers"),
        ({"units": {"vdsm": "auto-restart", "supervdsm": "running"}}, "unit vdsm"),
        ({"mounts": [*LOOK["mounts"], "/"]}, "mounts"),
        ({"mounts": ["/"]}, "mounts"),
        ({"zombies": ["conmon (7, child of 1)"]}, "zombie"),
        ({"journal": ["network.journal.new"]}, "journal"),
        ({"processes": {"vdsm": ["vdsm", "qemu-img"], "supervdsm": ["supervdsm"]}}, "processes"),
        ({"processes": {"vdsm": ["vdsm"], "supervdsm": ["supervdsm", "ip"]}}, "processes"),
        ({"processes": {"vdsm": ["vdsm"] * 60, "supervdsm": ["supervdsm"]}}, "processes"),
        ({"fds": {"vdsm": ["/dev/null"] * 13, "supervdsm": []}}, "fds"),
        ({"fds": {"vdsm": ["socket:[7]"] * 21, "supervdsm": []}}, "fds"),
        ({"fds": {"vdsm": [], "supervdsm": ["socket:[7]"] * 31}}, "fds"),
    ],
)
def test_what_is_leaked_is_found(changed: dict[str, Any], word: str) -> None:
    (found,) = unsteady(**changed)
    assert found.startswith(word)


def test_a_worker_process_has_a_socket() -> None:
    fds = {"vdsm": ["socket:[7]"] * 25, "supervdsm": []}
    processes = {"vdsm": ["vdsm"] * 7, "supervdsm": ["supervdsm"]}
    assert unsteady(fds=fds, processes=processes) == []
    assert unsteady(fds=fds) != []


def test_connections_may_stay_for_a_while_only() -> None:
    fds = {"vdsm": [], "supervdsm": ["socket:[7]"] * 20}
    assert unsteady(fds=fds) == []
    assert unsteady(fds=fds, quiet=True) != []


@pytest.mark.parametrize(
    "health", [{"inFlight": 40, "overdue": []}, {"inFlight": 2, "overdue": ["Mount x"]}]
)
def test_a_lock_that_is_held_is_found(health: dict[str, Any]) -> None:
    (found,) = unsteady(health=health)
    assert found.startswith("locks")


def test_percentiles() -> None:
    hundred = [float(number) for number in range(1, 101)]
    assert [percentile(hundred, share) for share in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]
    assert percentile([3.0], 0.99) == 3.0


def test_the_report_tells_of_each_kind_and_of_what_was_wrong() -> None:
    calls = [
        Call("a", "Host.ping2", 1.0, {}, 2.0, saw="ok"),
        Call("b", "x", 1.5, {}, 9.0, saw="lost"),
    ]
    one = survived(1, "kill vdsm", 1.5, 3.0, calls)
    assert (one.saw, one.longest_s, one.recovery_s) == (Counter(ok=1), 1.0, 1.5)
    spent = {"pause": 0.5, "(host)": 0.25}
    result = Result(
        7, survived=[one], spent=spent, violations=[(1, "kill vdsm", Violation(EFFECT, "half"))]
    )
    assert json.loads(json.dumps(as_json(result)))["kinds"]["kill vdsm"]["faults"] == 1
    text = as_text(result)
    assert "seed 7" in text
    assert "seconds of a fault: pause 0.50, (host) 0.25" in text
    assert "VIOLATION behind fault 1 (kill vdsm): effects match answers: half" in text
