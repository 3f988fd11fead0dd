# SPDX-License-Identifier: GPL-2.0-or-later
"""The pair is swapped while disks are made, copied and deleted: each task has ended or is undone by
the new vdsm, an engine hears of all of them, and no volume is lost."""

from collections import Counter
from pathlib import Path

from host.disks_at_work import ENDED, Disk, Load, checked, settle, spm_of, unfinished
from host.upgrades import ONE, TWO, Upgrading
from machines import Report


def test_a_swap_under_storage_tasks_loses_none_of_them(
    upgrading: Upgrading, tmp_path: Path, report: Report
) -> None:
    host = upgrading.machine
    runs_two = upgrading.ids["two"][0] in host.sh("cat /etc/vdsm/pins/current/vdsm.conf")
    release = ONE if runs_two else TWO
    with spm_of(host) as engine:
        disk = Disk(host, engine)
        before = checked(host, engine, tmp_path / "before")
        assert before.problems == []
        load = Load(host, disk)
        with load.running():
            # One that will not end by itself.
            host.sh("until pkill -STOP -x qemu-img; do sleep 0.01; done", timeout=60)
            known, busy = set(engine.call("Host.getAllTasksStatuses", {})), unfinished(engine)
            done = upgrading.upgrade(release)
        assert done.returncode == 0, done.stderr
        assert "Runs in vdsm: task " in done.stderr
        assert load.error is not None  # its calls went on until vdsm was swapped
        upgrading.serves(release)
        engine.resume()
        tasks = settle(engine)
        ended = Counter(task["taskResult"] for task in tasks.values())
        report(f"{len(busy)} tasks under way at the swap, then: {dict(ended)}")
        assert ended.keys() == ENDED, tasks
        assert known <= tasks.keys()
        after = checked(host, engine, tmp_path / "after")
        assert after.problems == []
        assert before.volumes.items() <= after.volumes.items()
        engine.finish()
