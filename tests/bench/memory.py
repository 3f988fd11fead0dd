# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory over many calls: `memory.py [--calls N]`, a million of each daemon if not said.

As plain processes, without a container: pings to supervdsm from 8 threads through the proxy, and
Host.ping2 to vdsm through TLS from 4 connections with requests sent ahead. After each twentieth
the resident memory is looked at; the slope is that of the second half, when caches are warm.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import engines
import ipc
import pipelines
import records
import stats
from measure import told

from front import pki
from vdsm.jsonrpc.tls import client_context

CALLS: Final = 1_000_000
LOOKS: Final = 20
THREADS: Final = 8
CONNECTIONS: Final = 4
_MIB: Final = 1024.0


def resident(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / _MIB


def watch(what: str, pid: int, calls: Callable[[int], None], count: int) -> None:
    """Make calls, look at the memory now and then, and tell how it went."""
    calls(count // LOOKS // 10)  # so that what the first calls need is there
    points = [(0.0, resident(pid))]
    begin = time.monotonic()
    for look in range(1, LOOKS + 1):
        calls(count // LOOKS)
        points.append((float(look * (count // LOOKS)), resident(pid)))
    took = time.monotonic() - begin
    told(
        [
            records.of_values("memory", "resident, calls", what, made, [value], unit="MiB")
            for made, value in points
        ]
    )
    grows = stats.slope(points[LOOKS // 2 :]) * 1e6
    told([records.of_values("memory", "growth, calls", what, count, [grows], "MiB a million")])
    print(f"{what}: {count / took:.0f} calls/s", flush=True)


def in_threads(work: Callable[[int], object], count: int, threads: int) -> None:
    """Share `count` calls among threads."""
    workers = [threading.Thread(target=work, args=(count // threads,)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    count = parser.parse_args().calls
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        identity = pki.make(directory / "pki")
        proxy, pid = stack.enter_context(ipc.supervdsm(directory))
        ping = proxy.service.ping

        def pings(share: int) -> None:
            for _ in range(share):
                ping()

        watch("supervdsm", pid, lambda one: in_threads(pings, one, THREADS), count)
        context = client_context(identity, check_name=False)
        front = stack.enter_context(engines.vdsm(directory, directory / "svdsm.sock", tls=True))
        assert front.process is not None

        def asks(share: int) -> None:
            pipelines.vdsm(share, port=front.port, context=context)

        watch("vdsm", front.process.pid, lambda one: in_threads(asks, one, CONNECTIONS), count)


if __name__ == "__main__":
    main()
