# SPDX-License-Identifier: GPL-2.0-or-later
"""What supervdsm keeps of root's privileges: all that verbs need, and nothing that none needs."""

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from process.conftest import PYTHONPATH, Manager
from supervdsm.server import privileges, seccomp

AGENT = Path(__file__).with_name("privileges_agent.py")


def agent(*words: str) -> Any:
    """Run the agent in namespaces of its own, where its trials change nothing."""
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--uts", "--", sys.executable, str(AGENT), *words],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def trials() -> dict[str, list[str]]:
    found: dict[str, list[str]] = agent()
    return found


def test_every_kept_capability_has_a_trial(trials: dict[str, list[str]]) -> None:
    assert set(trials) == set(privileges.KEPT)


@pytest.mark.parametrize("name", privileges.KEPT)
def test_with_what_is_kept_it_works_and_without_this_one_it_does_not(
    trials: dict[str, list[str]], name: str
) -> None:
    kept, without = trials[name]
    assert kept == ""
    assert without != ""


def test_every_refused_call_is_refused_by_the_filter() -> None:
    before, after = agent("calls")
    assert len(after) > len(seccomp.REFUSED)
    assert set(after.values()) == {errno.EPERM}
    assert errno.EPERM not in before.values()


@pytest.mark.parametrize("how", ["--user", "--map-root-user"])
def test_a_child_makes_no_user_namespace(how: str) -> None:
    program = (
        "import subprocess, sys; from supervdsm.server import privileges; privileges.reduce();"
        f"sys.exit(subprocess.run(['unshare', '{how}', 'true']).returncode)"
    )
    made = subprocess.run(["unshare", how, "true"], check=False)
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": PYTHONPATH, **os.environ}, check=False
    )
    assert made.returncode == 0
    assert done.returncode == 1


def test_all_threads_of_the_daemon_and_its_children_have_what_is_kept(manager: Manager) -> None:
    manager.start()
    manager.ready()
    statuses = list(Path(f"/proc/{manager.pid}/task").glob("*/status"))
    assert len(statuses) > 1
    for status in statuses:
        found = dict(line.split(":", 1) for line in status.read_text().splitlines())
        for name in ("CapPrm", "CapEff", "CapBnd"):
            assert int(found[name], 16) == privileges.mask()
        assert int(found["CapInh"], 16) == int(found["CapAmb"], 16) == 0
        assert found["NoNewPrivs"].strip() == "1"
        assert found["Seccomp"].strip() == "2"


def test_with_a_second_thread_nothing_is_given_up_and_it_says_so() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        with pytest.raises(OSError, match="threads run"):
            privileges.reduce()
    finally:
        end.set()
        thread.join()
