# SPDX-License-Identifier: GPL-2.0-or-later
"""Hooks as programs in a plain directory: their order, status, changes and owners."""

import os
import select
from pathlib import Path

import pytest

from supervdsm.common.call import serving
from supervdsm.network.transaction.hooks import Hooks, Request
from vdsm_contract.errors import HookFailed, TimedOut

REQUEST = Request({"ovirtmgmt": {"nic": "eth0"}}, {}, {"connectivityCheck": False})


def ended(pid: int) -> bool:
    """Wait for the end of a process that is not our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], 10)[0])
    finally:
        os.close(fd)


class Site:
    """A directory of hooks, and what they leave in `log`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / "log"
        (root / "hooks").mkdir(mode=0o755)
        (root / "run").mkdir()
        self.hooks = Hooks(root / "hooks", root=None, run_dir=root / "run", limit=5)

    def add(self, point: str, name: str, script: str) -> Path:
        file = self.root / "hooks" / point / name
        file.parent.mkdir(mode=0o755, exist_ok=True)
        file.write_text(f"#!/bin/sh\nLOG={self.log}\n{script}\n")
        file.chmod(0o755)
        return file

    def ran(self) -> list[str]:
        return self.log.read_text().split() if self.log.exists() else []


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_without_hooks_the_request_stays(site: Site) -> None:
    assert site.hooks.before(REQUEST) == REQUEST


def test_hooks_run_in_the_order_of_their_names(site: Site) -> None:
    for name in ("20_b", "10_a", "30_c"):
        site.add("before_network_setup", name, 'echo "${0##*/}" >> $LOG')
    site.hooks.before(REQUEST)
    assert site.ran() == ["10_a", "20_b", "30_c"]


def test_each_sees_what_the_one_before_it_left(site: Site) -> None:
    site.add("before_network_setup", "1", 'sed -i s/eth0/eth1/ "$_hook_json"')
    site.add("before_network_setup", "2", 'sed -i s/eth1/eth2/ "$_hook_json"')
    result = site.hooks.before(REQUEST)
    assert result == Request({"ovirtmgmt": {"nic": "eth2"}}, {}, {"connectivityCheck": False})
    assert list((site.root / "run").iterdir()) == []


def test_a_failure_lets_the_others_run_and_is_raised(site: Site) -> None:
    failing = site.add("before_network_setup", "1", "echo one >> $LOG; echo why >&2; exit 1")
    site.add("before_network_setup", "2", "echo two >> $LOG")
    with pytest.raises(HookFailed) as caught:
        site.hooks.before(REQUEST)
    error = caught.value
    assert (error.hook, error.status, error.stderr) == (str(failing), 1, "why")
    assert error.api_code() == 78
    assert site.ran() == ["one", "two"]


def test_status_2_ends_the_run(site: Site) -> None:
    site.add("before_network_setup", "1", "echo one >> $LOG; exit 2")
    site.add("before_network_setup", "2", "echo two >> $LOG")
    with pytest.raises(HookFailed):
        site.hooks.before(REQUEST)
    assert site.ran() == ["one"]


@pytest.mark.parametrize("failed", [False, True])
def test_what_fails_after_the_change_is_not_raised(site: Site, failed: bool) -> None:
    point = "after_network_setup_fail" if failed else "after_network_setup"
    site.add(point, "1", "echo ran >> $LOG; exit 2")
    site.hooks.after(REQUEST, failed=failed)
    assert site.ran() == ["ran"]


def test_a_hook_that_stays_is_killed_with_its_children(site: Site) -> None:
    site.hooks = Hooks(site.root / "hooks", root=None, run_dir=site.root / "run", limit=0.3)
    site.add("before_network_setup", "1", "sleep 1000 & echo $! >> $LOG; wait")
    site.add("before_network_setup", "2", "echo two >> $LOG")
    with pytest.raises(HookFailed, match=r"hooks have 0\.3 s"):
        site.hooks.before(REQUEST)
    (pid,) = site.ran()
    assert ended(int(pid))


def test_a_hook_may_not_outlive_the_call(site: Site) -> None:
    site.add("before_network_setup", "1", "sleep 1000")
    with serving("test", 0.3), pytest.raises(TimedOut):
        site.hooks.before(REQUEST)


def test_after_a_call_without_time_its_hooks_still_run(site: Site) -> None:
    site.add("after_network_setup_fail", "1", "echo ran >> $LOG")
    with serving("test", 0):
        site.hooks.after(REQUEST, failed=True)
    assert site.ran() == ["ran"]


@pytest.mark.parametrize("left", ["", "[]", '{"request": {"networks": []}}', "\\0"])
def test_what_is_no_request_any_more_is_a_failure(site: Site, left: str) -> None:
    site.add("before_network_setup", "1", f"printf '{left}' > \"$_hook_json\"")
    with pytest.raises(HookFailed, match="cannot be read"):
        site.hooks.before(REQUEST)


@pytest.mark.parametrize("what", ["not executable", "writable", "link", "directory", "foreign"])
def test_what_is_not_root_s_program_is_not_run(site: Site, what: str) -> None:
    file = site.add("before_network_setup", "1", "echo ran >> $LOG")
    match what:
        case "not executable":
            file.chmod(0o644)
        case "writable":
            file.chmod(0o775)
        case "link":
            file.symlink_to(file.rename(site.root / "elsewhere"))
        case "directory":
            file.unlink()
            file.mkdir()
        case _:
            if os.geteuid() != 0:
                pytest.skip("needs root to give a file away")
            os.chown(file, 36, 36)
    site.hooks.before(REQUEST)
    assert site.ran() == []


def test_a_directory_that_others_can_write_is_not_looked_into(site: Site) -> None:
    site.add("before_network_setup", "1", "echo ran >> $LOG")
    (site.root / "hooks").chmod(0o777)
    site.hooks.before(REQUEST)
    assert site.ran() == []


def test_a_program_that_cannot_be_started_is_a_failure(site: Site) -> None:
    file = site.add("before_network_setup", "1", "")
    file.write_text("#!/nowhere\n")
    with pytest.raises(HookFailed):
        site.hooks.before(REQUEST)
