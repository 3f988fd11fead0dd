# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs in the test host, as root, with nothing but Python: kills to the moment, and looks around.

Reads requests from stdin, a JSON object a line: "do" names the function, the rest are its
arguments. Prints for each one line: {"result": ...} or {"error": text}.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SLICE = Path("/sys/fs/cgroup/system.slice")
JOURNAL = Path("/var/lib/vdsm/supervdsm/network.journal")
SOCKET = "/run/vdsm/svdsm.sock"
SERVICE = "org.ovirt.supervdsm.service"
FILLER = "chaos-filler"
_CHANGE_S = 3.0
"""How long a change of the network is waited for."""


# --- processes ------------------------------------------------------------------------------------


def _group(unit: str) -> list[Path]:
    """The control groups of a unit's container. Those of a template are a level below."""
    where = f"{unit.replace('[', '[[]')}.service/libpod-payload-*"
    found = SLICE.glob(f"*/{where}" if "@" in unit else where)
    return [path for path in found if path.is_dir()]


def _status(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has ended
        return {}
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def processes(unit: str) -> list[dict[str, Any]]:
    """The processes of a unit's container."""
    pids: dict[int, str] = {}
    for group in _group(unit):
        for file in [group / "cgroup.procs", *group.glob("**/cgroup.procs")]:
            try:
                pids |= dict.fromkeys(map(int, file.read_text().split()), group.name)
            except OSError:  # the group went away
                continue
    found = []
    for pid, group_name in sorted(pids.items()):
        status = _status(pid)
        if status:
            name, parent, state = status["Name"], int(status["PPid"]), status["State"][0]
            one = {"pid": pid, "name": name, "parent": parent, "state": state}
            found.append({**one, "container": group_name})
    return found


def main_pid(unit: str) -> int:
    """The first process of a unit's container; 0 without one."""
    return int(_main(unit)["pid"])


def container(unit: str) -> str:
    """Which container of a unit runs; each start has another one. Empty without one."""
    return str(_main(unit)["container"])


def _main(unit: str) -> dict[str, Any]:
    found = processes(unit)
    inside = {one["pid"] for one in found}
    first = [one for one in found if one["parent"] not in inside]
    return min(first, key=lambda one: one["pid"], default={"pid": 0, "container": ""})


def replaced(containers: dict[str, str], seconds: float) -> list[str]:
    """Wait until others than these containers of units run, and nothing of these is left; the units
    where that was not so."""

    def missing() -> list[str]:
        return [unit for unit, old in containers.items() if not _is_other(unit, old)]

    _wait(lambda: not missing(), seconds, 0.01)
    return missing()


def _is_other(unit: str, old: str) -> bool:
    there = {one["container"] for one in processes(unit)}
    return bool(there) and old not in there


def hold(unit: str, patience_s: float, after_s: float, seconds: float, then: str) -> dict[str, Any]:
    """SIGSTOP to all of a unit's container, `after_s` after it was there; at the end the signal
    `then`. The pids are those that were stopped: none, if it was not there or no longer."""
    _wait(lambda: processes(unit), patience_s)
    time.sleep(after_s)
    main = main_pid(unit)
    pids = [one["pid"] for one in processes(unit)]
    stopped = [pid for pid in pids if _send(pid, signal.SIGSTOP)]
    time.sleep(seconds)
    for pid in stopped:
        _send(pid, getattr(signal, f"SIG{then}"))
    return {"main": main, "pids": stopped}


def _send(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _wait(condition: Callable[[], Any], seconds: float, pause: float = 0.002) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def kill(units: list[str], signal_name: str, in_change: bool, share: float) -> dict[str, Any]:
    """Send a signal to the main processes; with `in_change` a moment after a change began."""
    mains = {unit: _main(unit) for unit in units}
    hit = in_change and _in_change(share)
    for main in mains.values():
        if main["pid"]:
            os.kill(main["pid"], getattr(signal, f"SIG{signal_name}"))
    containers = {unit: main["container"] for unit, main in mains.items()}
    return {"containers": containers, "in_change": hit}


def _in_change(share: float) -> bool:
    """Wait until there is a journal, and up to 60 ms more."""
    if JOURNAL.exists():
        _wait(lambda: not JOURNAL.exists(), _CHANGE_S)
    hit = _wait(JOURNAL.exists, _CHANGE_S, 0.001)
    time.sleep(share * 0.06)
    return hit


def tear(how: str, share: float) -> dict[str, Any]:
    """Kill supervdsm in a change and spoil the end of its journal, before the next one starts."""
    main = _main("supervdsm")
    pid = main["pid"]
    _in_change(share / 2)
    if pid:
        os.kill(pid, signal.SIGKILL)
    _wait(lambda: not _status(pid), 5)
    try:
        content = JOURNAL.read_bytes()
    except FileNotFoundError:
        return {"container": main["container"], "torn": False}
    at = int(len(content) * (0.3 + 0.69 * share))
    spoilt = {
        "truncated": content[:at],
        "appended": content + b"\0" * 512,
        "overwritten": content[:at] + b"\xff" * (len(content) - at),
    }[how]
    with JOURNAL.open("r+b") as file:
        file.write(spoilt)
        file.truncate(len(spoilt))
    return {"container": main["container"], "torn": True, "text": content.decode()}


# --- what else can be wrong -----------------------------------------------------------------------


def fill(directory: str) -> int:
    """Fill a small file system to its last block; the number of bytes."""
    written = 0
    with (Path(directory) / FILLER).open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            block = b"x" * size
            while True:
                try:
                    written += file.write(block)
                except OSError:
                    break
    return written


def unfill(directory: str) -> None:
    (Path(directory) / FILLER).unlink(missing_ok=True)


def run(argv: list[str], timeout: float = 60.0) -> str:
    """Run a command; what it printed."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise RuntimeError(f"{argv}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


# --- looking around -------------------------------------------------------------------------------


def _varlink(method: str) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(30)
        client.connect(SOCKET)
        client.sendall(
            json.dumps({"method": f"{SERVICE}.{method}", "parameters": {}}).encode() + b"\0"
        )
        answer = b""
        while not answer.endswith(b"\0"):
            data = client.recv(65536)
            if not data:
                raise RuntimeError(f"{method}: the connection ended")
            answer += data
    parameters: dict[str, Any] = json.loads(answer[:-1])["parameters"]
    return parameters


def health() -> dict[str, Any]:
    """What supervdsm says of itself."""
    return _varlink("Health")


def _zombies() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*"):
        status = _status(int(path.name))
        if status and status["State"].startswith("Z"):
            yield f"{status['Name']} ({path.name}, child of {status['PPid']})"


def _mounts() -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines]


def _fds(pid: int) -> list[str]:
    found = []
    try:
        for path in Path(f"/proc/{pid}/fd").iterdir():
            try:
                found.append(str(path.readlink()))
            except OSError:  # it was closed
                continue
    except OSError:  # it has ended
        return []
    return found


def _states(units: list[str]) -> dict[str, str]:
    states = run(["systemctl", "show", "-P", "SubState", *(f"{unit}.service" for unit in units)])
    return dict(zip(units, states.split(), strict=True))


def look(units: list[str], domain: str, patience_s: float = 0.0) -> dict[str, Any]:
    """All that can be seen at once, but for the network; once the units run, or after so long."""
    end, waited = time.monotonic() + patience_s, False
    while {*(states := _states(units)).values()} != {"running"} and time.monotonic() < end:
        waited = True
        time.sleep(0.03)
    said = health()
    listed = run(["podman", "ps", "--all", "--format", "{{.Names}} {{.State}}"])
    mains = {unit: main_pid(unit) for unit in units}
    return {
        "waited": waited,
        "health": said,
        "containers": sorted(listed.splitlines()),
        "units": states,
        "pids": mains,
        "processes": {unit: [one["name"] for one in processes(unit)] for unit in units},
        "fds": {unit: _fds(pid) for unit, pid in mains.items()},
        "zombies": list(_zombies()),
        "mounts": _mounts(),
        "volumes": volumes(domain),
        "journal": sorted(path.name for path in JOURNAL.parent.glob("*")),
    }


def volumes(domain: str) -> list[str]:
    """The volumes in a domain, as image/volume."""
    found = []
    for path in Path(domain).glob("images/*/*.meta"):
        volume = path.with_suffix("")
        if volume.exists():
            found.append(f"{volume.parent.name}/{volume.name}")
    return sorted(found)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (main_pid, container, replaced, kill, hold, tear, fill, unfill, run, look)
}


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": _FUNCTIONS[request.pop("do")](**request)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
