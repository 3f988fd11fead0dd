# SPDX-License-Identifier: GPL-2.0-or-later
"""NetworkCaps and NetworkStats on a host with many links, against what `ip` needs to tell of them.

Run as root: `python tests/bench/caps.py [--links N]`. It makes a network namespace of its own: a
third of the links are bridges with an address, each with a NIC (a veth's end) as its port, and the
other ends. Each bridge is a network of the running configuration. What is measured is the verb as
supervdsm serves it, the encoding of its answer included, after the first call. `ip` stands for the
least that a program can do: `ip -j -d link` and `ip -j addr`, in the same run, in turns with ours.
"""

import argparse
import gc
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import measure

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Make the namespace, measure in it, remove it."""
    options = _options()
    if options.state is not None:
        _measure(options.state, options.rounds)
        return
    name = f"vt-bench-{secrets.token_hex(4)}"
    count = options.links // 3
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        with tempfile.TemporaryDirectory() as directory:
            _write_networks(Path(directory), count)
            _make_links(name, count)
            arguments = ["--state", directory, "--rounds", str(options.rounds)]
            subprocess.run(
                ["ip", "netns", "exec", name, sys.executable, __file__, *arguments],
                check=True,
                env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "VDSM_FAKE_NICS": "nic*"},
            )
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--links", type=int, default=1000, help="how many (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=31, help="of each (default: %(default)s)")
    parser.add_argument("--state", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _write_networks(directory: Path, count: int) -> None:
    nets = directory / "staging/netconf/nets"
    nets.mkdir(parents=True)
    for number in range(count):
        (nets / f"net{number}").write_text(json.dumps({"nic": f"nic{number}"}))


def _make_links(namespace: str, count: int) -> None:
    lines = ["link set lo up"]
    for number in range(count):
        lines += [
            f"link add net{number} type bridge",
            f"link add nic{number} type veth peer name far{number}",
            f"link set nic{number} master net{number}",
            f"addr add 10.{number // 256}.{number % 256}.1/24 dev net{number}",
            f"link set nic{number} up",
            f"link set far{number} up",
            f"link set net{number} up",
        ]
    command = ["ip", "-n", namespace, "-batch", "-"]
    subprocess.run(command, input="\n".join(lines), text=True, check=True)


def _measure(state: Path, rounds: int) -> None:
    _wait_for_quiet()
    before = _resident()
    # Here, so that what the imports need is seen, too.
    import msgspec

    from supervdsm.network.room import NetworkRoom

    room = NetworkRoom(host_root=state, state_dir=state, run_dir=state)
    imported = _resident()
    subjects: dict[str, Callable[[], object]] = {
        "NetworkCaps": lambda: msgspec.json.encode(room.network_caps()),
        "NetworkStats": lambda: msgspec.json.encode(room.network_stats()),
        "ip -j -d link, ip -j addr": _ip,
    }
    first = {what: _timed(call) for what, call in subjects.items()}
    filled = _resident()
    caps = room.network_caps()
    print(
        f"{len(caps.nics)} NICs, {len(caps.bridges)} bridges, {len(caps.networks)} networks;"
        f" {len(msgspec.json.encode(caps))} bytes of JSON; load {os.getloadavg()[0]:.1f}"
    )
    times: dict[str, list[float]] = {what: [] for what in subjects}
    for _ in range(rounds):
        for what, call in subjects.items():
            times[what].append(_timed(call))
    links = len(caps.nics) + len(caps.bridges) + len(caps.nics)
    section = measure.Section("caps", "links")
    medians = {what: section.show(what, found, links) for what, found in times.items()}
    for what, seconds in first.items():
        section.show(f"{what}, first call", [seconds], links)
    *ours, floor = medians
    for what in ours:
        section.ratio(f"{what} / ip", medians[what], medians[floor], links)
    gc.collect()
    print(
        f"resident: {before} kB bare, {imported} with the room, {filled} after the first calls,"
        f" {_resident()} after {rounds} more"
    )


def _timed(call: Callable[[], object]) -> float:
    start = time.monotonic()
    call()
    return time.monotonic() - start


def _ip() -> None:
    for command in (["ip", "-j", "-d", "link"], ["ip", "-j", "addr"]):
        subprocess.run(command, stdout=subprocess.PIPE, check=True)


def _wait_for_quiet() -> None:
    """Wait for the end of duplicate address detection, which changes all links."""
    command = ["ip", "-6", "addr", "show", "tentative"]
    quiet = 0
    while quiet < 10:
        time.sleep(0.2)
        tentative = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        quiet = 0 if tentative else quiet + 1


def _resident() -> int:
    """Return the memory of this process, in kB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


if __name__ == "__main__":
    main()
