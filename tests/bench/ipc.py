# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls of vdsm to supervdsm, against what else there is: `ipc.py [--quick]`.

As plain processes, without a container: the real supervdsm with a verb for a host of any size,
its client as vdsm uses it, and each peer, in turns. Threads call at once: 1, 8 and 32. With one
thread it is measured twice: wherever the kernel puts the two processes, and with both on one
processor, where nothing is won by doing work while the other side sleeps.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import ipc_peers
from bench_interface import Bench
from ipc_peers import Call, Peer
from measure import REPEATS, in_turns, timed_threads
from placing import on_one_processor
from stats import Summary

from vdsm_contract import systemd
from vdsm_contract.proxy import Supervdsm

FLOOR: Final = "raw echo"
OURS: Final = "supervdsm"
AUDITED: Final = "supervdsm, audited first"
THREADS: Final = (1, 8, 32)
DEVICES: Final = (50, 500, 5000)
SECONDS: Final = 1.0
_READY_SECONDS: Final = 30.0
_DAEMON: Final = Path(__file__).with_name("bench_daemon.py")


@contextmanager
def supervdsm(directory: Path, *options: str) -> Iterator[tuple[Supervdsm, int]]:
    """Run supervdsm below `directory`; yield a proxy to it, and its pid."""
    path = directory / "svdsm.sock"
    state = directory / "state"
    state.mkdir()
    with (directory / "log").open("wb") as log:
        # A reader of its log, as podman is one on a host.
        reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log)
        process = subprocess.Popen(
            [
                sys.executable,
                str(_DAEMON),
                str(state),
                "--bind",
                str(path),
                *options,
            ],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=reader.stdin,
            stderr=reader.stdin,
        )
    proxy = Supervdsm(path)
    try:
        end = time.monotonic() + _READY_SECONDS
        while not path.exists():
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"supervdsm does not start:\n{(directory / 'log').read_text()}")
            time.sleep(0.01)
        proxy.service.ping()
        yield proxy, process.pid
    finally:
        proxy.close()
        process.kill()
        process.wait()
        assert reader.stdin is not None
        reader.stdin.close()
        reader.wait()


def ours(proxy: Supervdsm) -> dict[str, Peer]:
    """Return our own ways to call, in the shape of a peer's."""
    bench = proxy.bind(Bench)

    def connect(count: int) -> Call:
        return partial(bench.devices, count) if count else proxy.service.ping

    return {OURS: Peer(connect), AUDITED: Peer(lambda _count: bench.audited)}


@contextmanager
def contenders() -> Iterator[dict[str, Peer]]:
    """Run all that are compared."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        proxy, _pid = stack.enter_context(supervdsm(directory))
        found = ours(proxy)
        for name in ipc_peers.NAMES:
            found[name] = stack.enter_context(ipc_peers.running(name, directory))
        systemd.settle()  # as vdsm does when it is ready
        yield found


def runs(
    peers: dict[str, Peer], count: int, threads: int, seconds: float
) -> dict[str, Callable[[], Summary]]:
    """Return what each contender does in its turn."""
    return {
        what: partial(timed_threads, partial(peer.connect, count), threads=threads, seconds=seconds)
        for what, peer in peers.items()
        if not (count and what == AUDITED)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
    quick = parser.parse_args().quick
    seconds, repeats = (0.2, 2) if quick else (SECONDS, REPEATS)
    with on_one_processor(), contenders() as peers:
        in_turns(
            "ipc", "Ping, one processor", 1, runs(peers, 0, 1, seconds), floor=FLOOR,
            repeats=repeats,
        )  # fmt: skip
    with contenders() as peers:
        for threads in THREADS:
            in_turns(
                "ipc", "Ping, threads", threads, runs(peers, 0, threads, seconds), floor=FLOOR,
                repeats=repeats,
            )  # fmt: skip
        for threads in THREADS:
            in_turns(
                "ipc", "500 devices, threads", threads, runs(peers, 500, threads, seconds),
                floor=FLOOR, repeats=repeats,
            )  # fmt: skip
        for count in DEVICES:
            in_turns(
                "ipc", "devices in an answer", count, runs(peers, count, 1, seconds), floor=FLOOR,
                repeats=repeats,
            )  # fmt: skip


if __name__ == "__main__":
    main()
