# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage tasks and jobs that run in the old vdsm: an upgrade tells of them, and may wait for them.

They end with that vdsm: see docs/upgrade.md for what becomes of each. So nothing here refuses an
upgrade, and a vdsm that does not say what it works on is no reason not to replace it.
"""

import time
from collections.abc import Mapping
from typing import Final

from vdsm_contract.paths import PKI_DIR
from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.pki.files import PkiFiles
from vdsm_tool.state import vdsm
from vdsm_tool.upgrade.model import Tell

LONGEST: Final = 86400.0
"""Seconds that an operator may let an upgrade wait."""
_CALL: Final = 10.0
"""Seconds that a call of vdsm may take."""
_PAUSE: Final = 1.0
"""Seconds between two looks at what has not ended."""
_ENDED_JOBS: Final = frozenset({"done", "failed", "aborted"})
_SHOWN: Final = 10


def settle(host: Host, tell: Tell, seconds: float) -> None:
    """Tell which tasks and jobs run, and wait until they have ended, `seconds` at most."""
    deadline = time.monotonic() + seconds
    waited = False
    while True:
        try:
            found = read(host)
        except ToolError as error:
            tell(f"It is not known which storage tasks run: {error.sentence}")
            return
        if not found:
            if waited:
                tell("All storage tasks have ended")
            return
        if not waited:
            for line in found[:_SHOWN]:
                tell(f"Runs in vdsm: {line}")
            if len(found) > _SHOWN:
                tell(f"and {len(found) - _SHOWN} more: `vdsm-tool storage tasks`")
        if time.monotonic() >= deadline:
            tell(f"{len(found)} of them end with this vdsm: docs/upgrade.md says what follows")
            return
        if not waited:
            tell(f"Waiting for them, {seconds:g} s at most")
        waited = True
        time.sleep(_PAUSE)


def read(host: Host) -> list[str]:
    """Return a line for each task and job of vdsm that has not ended. Raises ToolError."""
    files = PkiFiles(PKI_DIR)
    try:
        tls = vdsm.uses_tls(host)
        infos, statuses, jobs = (
            vdsm.call(f"Host.{verb}", {}, files=files, tls=tls, timeout=_CALL)
            for verb in ("getAllTasksInfo", "getAllTasksStatuses", "getJobs")
        )
    except (OSError, ValueError) as error:
        finding = vdsm.judge(error, files=files)
        raise ToolError(f"vdsm: {finding.detail}", finding.way_out) from error
    return in_flight(infos, statuses, jobs)


def in_flight(infos: object, statuses: object, jobs: object) -> list[str]:
    """Return a line for each that has not ended, of TasksInfo, TasksStatus and HostJobInfoMap."""
    verbs = {uuid: _text(info, "verb") for uuid, info in _items(infos)}
    return [
        *(
            f"task {uuid} ({verbs.get(uuid) or 'unknown'}), {_text(status, 'taskState')}"
            for uuid, status in _items(statuses)
            if _text(status, "taskState") != "finished"
        ),
        *(
            f"job {uuid} ({_text(job, 'description')}), {_text(job, 'status')}"
            for uuid, job in _items(jobs)
            if _text(job, "status") not in _ENDED_JOBS
        ),
    ]


def _items(answer: object) -> list[tuple[str, object]]:
    return sorted(answer.items()) if isinstance(answer, Mapping) else []


def _text(of: object, key: str) -> str:
    value = of.get(key, "") if isinstance(of, Mapping) else ""
    return value if isinstance(value, str) else str(value)
