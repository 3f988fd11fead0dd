# SPDX-License-Identifier: GPL-2.0-or-later
"""What the pair takes: disk, memory, time to start and to come back. On a host, as root.

Times stand beside those of a bare `podman run` of the same image, taken in turns with them.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import bare
import pipelines
from measure import Section

from vdsm_contract.paths import PKI_DIR
from vdsm_contract.proxy import Supervdsm
from vdsm_tool.pki.files import PkiFiles
from vdsm_tool.state import vdsm

SERVICES: Final = ("supervdsm", "vdsm")
CALLS: Final = 100_000
STARTS: Final = 10
KILLS: Final = 10
SETTLE_S: Final = 5.0
"""After a start, until memory is looked at."""
_MB: Final = 1_000_000
SECTION: Final = Section("footprint", "the pair on a host")


def run(*words: str) -> str:
    """Run a command of the host; return what it printed."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def inspect(name: str) -> Any:
    """Return what podman knows of a container that runs."""
    return json.loads(run("podman", "container", "inspect", name))[0]


# --- disk -------------------------------------------------------------------------------------


def layers(image: str) -> dict[str, int]:
    """Return the layers of an image, the lowest first: their digests and sizes in bytes."""
    digests = json.loads(run("podman", "image", "inspect", image))[0]["RootFS"]["Layers"]
    steps = json.loads(run("podman", "history", "--format=json", image))
    sizes = [step["size"] for step in reversed(steps) if step["size"]]
    return dict(zip(digests, sizes, strict=True))


def sizes(images: dict[str, str]) -> None:
    """Print how large the images are, and what they share."""
    found = {name: layers(image) for name, image in images.items()}
    for name, one in found.items():
        SECTION.value(f"{name}, image in {len(one)} layers", sum(one.values()) / _MB, "MB")
    both = found["supervdsm"] | found["vdsm"]
    shared = found["supervdsm"].keys() & found["vdsm"].keys()
    SECTION.value("shared by both", sum(both[one] for one in shared) / _MB, "MB")
    SECTION.value("both on the disk", sum(both.values()) / _MB, "MB")


# --- memory -----------------------------------------------------------------------------------


def processes(name: str) -> list[Path]:
    """Return the processes in a container, as directories of /proc."""
    pid = inspect(name)["State"]["Pid"]
    group = Path(f"/proc/{pid}/cgroup").read_text().strip()
    return [
        path.parent
        for path in Path("/proc").glob("[0-9]*/cgroup")
        if path.read_text().strip() == group
    ]


def memory(name: str, when: str) -> float:
    """Print and return the resident memory of a container's processes, in megabytes.

    The second figure counts pages that several processes share by halves, thirds and so on.
    """
    resident = proportional = 0
    for process in processes(name):
        for line in (process / "smaps_rollup").read_text().splitlines():
            key, _, value = line.partition(":")
            if key == "Rss":
                resident += int(value.split()[0]) * 1024
            elif key == "Pss":
                proportional += int(value.split()[0]) * 1024
    SECTION.value(f"{name}, {when}, its share", proportional / _MB, "MB")
    return SECTION.value(f"{name}, {when}, resident", resident / _MB, "MB")


def memories() -> None:
    """Print the memory of both, idle and after many calls."""
    run("systemctl", "restart", *(f"{name}.service" for name in SERVICES))
    time.sleep(SETTLE_S)
    idle = {name: memory(name, "idle") for name in SERVICES}
    for name, calls in (("supervdsm", pipelines.supervdsm), ("vdsm", pipelines.vdsm)):
        rate = calls(CALLS)
        SECTION.value(f"{name}, {CALLS} calls, one connection", rate, "calls/s")
        time.sleep(SETTLE_S)
        SECTION.ratio(f"{name}, after / idle", memory(name, f"after {CALLS} calls"), idle[name])


# --- time -------------------------------------------------------------------------------------


def starts(name: str, image: str) -> float:
    """Print how long a start takes; return the median of bare ones, in seconds."""
    unit = f"{name}.service"
    ours, others = [], []
    if name == "supervdsm":
        run("systemctl", "stop", "vdsm.service")  # its calls would start supervdsm by the socket
    for _ in range(STARTS):
        run("systemctl", "stop", unit)
        others.append(bare.start(name, image))
        begin = time.monotonic()
        run("systemctl", "start", unit)
        ours.append(time.monotonic() - begin)
    run("systemctl", "start", "vdsm.service")
    started = SECTION.show(f"{name}, systemctl start to READY=1", ours)
    floor = SECTION.show(f"{name}, bare podman run to READY=1", others)
    SECTION.ratio(f"{name}, systemctl start / bare podman run", started, floor)
    return floor


def kills(name: str, call: Callable[[], object], floor: float) -> None:
    """Print how long after SIGKILL the next call is served, beside a bare start."""
    times = []
    for _ in range(KILLS):
        call()
        pid = inspect(name)["State"]["Pid"]
        killed = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.001)
        call()
        times.append(time.monotonic() - killed)
        time.sleep(1)  # until what watches the daemon has settled
    served = SECTION.show(f"{name}, SIGKILL to the next served call", times)
    SECTION.ratio(f"{name}, that / bare podman run", served, floor)


def ask_supervdsm() -> None:
    """Make a call on a connection of its own."""
    proxy = Supervdsm()
    proxy.service.ping()
    proxy.close()


def ask_vdsm() -> None:
    """Make a call through TLS on a connection of its own."""
    answer, finding = vdsm.ask(files=PkiFiles(PKI_DIR), tls=True)
    if answer is None:
        raise SystemExit(finding.detail)


if __name__ == "__main__":
    images = {name: inspect(name)["Image"] for name in SERVICES}
    sizes(images)
    memories()
    calls: dict[str, Callable[[], None]] = {"supervdsm": ask_supervdsm, "vdsm": ask_vdsm}
    for service, ask in calls.items():
        kills(service, ask, starts(service, images[service]))
