# SPDX-License-Identifier: GPL-2.0-or-later
"""A reboot of a host that is SPM and has a host id, with the real sanlock and a watchdog.

The shutdown gives both back and hangs nowhere, the watchdog stays quiet, and after the boot the
host is SPM again as soon as an engine asks.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import pytest

from machines import SERVES, Machine, Report, active
from storage.client import session
from storage.engine import NFS, Engine
from vm.engine import Engine as FirstEngine
from vm.leases import CLIENT, dump, exported, ids_and_leases
from vm.shell import Shell

EXPORT: Final = "/srv/rebooted"
SERVER: Final = "127.0.0.11"
"""An address of its own: other tests reach the same server by another one."""
# Version 3: the VM is its own server, and what unmounts last, when the server has ended, does not
# need to ask it anything.
CONNECTION: Final = {"connection": f"{SERVER}:{EXPORT}", "protocol_version": "3"}
PLACE: Final = f"/rhev/data-center/mnt/{SERVER}:_srv_rebooted"
MIB: Final = 1 << 20
OFF_S: Final = 300.0
"""More than the limits of the units (TimeoutStopSec=) together; a unit that reaches one is seen."""
ENDING: Final = ("vdsm.service", "vdsm-sanlock.service", "vdsm-wdmd.service")

# At each boot a watchdog, which would only say that it resets the host.
_SOFTDOG: Final = {
    "/etc/modules-load.d/softdog.conf": "softdog",
    "/etc/modprobe.d/softdog.conf": "options softdog soft_noboot=1",
}
# As if it were another machine, the server is there until sanlock has ended. Only for this boot.
_OUTLIVES: Final = """
cd /run/systemd/system
mkdir -p nfs-server.service.d
printf '[Unit]\\nBefore=vdsm-sanlock.service\\n' >nfs-server.service.d/50-outlives.conf
systemctl daemon-reload
"""


@pytest.fixture
def host(leased: Machine, shell: Shell, engine: FirstEngine) -> Iterator[Machine]:
    """The VM, with an export that outlives its sanlock and a watchdog at each boot."""
    for path, line in _SOFTDOG.items():
        leased.sh(f"echo '{line}' >{path}")
    leased.sh(_OUTLIVES)
    try:
        with exported(leased, EXPORT):
            yield leased
    finally:
        leased.sh(f"rm -f {' '.join(_SOFTDOG)}")
        # What other tests go on with: their connections are of the boot before.
        shell.close()
        engine.reconnect()


@dataclass(frozen=True)
class Boot:
    """One boot of the host, and its journal from a moment on."""

    host: Machine
    id: str
    since: str

    @classmethod
    def now(cls, host: Machine) -> "Boot":
        """The boot that the host is in, from this moment on."""
        [id_, since] = host.sh("cat /proc/sys/kernel/random/boot_id; date +%s").split()
        return cls(host, id_.replace("-", ""), since)

    def journal(self, *options: str) -> str:
        words = ("journalctl", "--no-pager", "--output=cat", f"--boot={self.id}")
        return self.host.run(*words, f"--since=@{self.since}", *options).stdout

    def said_by_systemd(self, *units: str) -> str:
        """What systemd said of these units."""
        return self.journal("_PID=1", *(f"UNIT={unit}" for unit in units))


def shut_down(host: Machine) -> bool:
    """As an operator does; whether it ended by itself. It is off in any case."""
    # The connection may end before the command does.
    host.run("systemctl", "poweroff", check=False, timeout=OFF_S)
    deadline = time.monotonic() + OFF_S
    running = f"{host.name}\trunning\t"
    while any(line.startswith(running) for line in host.tool_run("list").stdout.splitlines()):
        if time.monotonic() > deadline:
            host.tool_run("power-cut", host.name)
            return False
        time.sleep(0.5)
    return True


def boot(host: Machine) -> None:
    host.tool_run("boot", host.name, timeout=900)
    host.wait(SERVES, timeout=300)
    host.wait(active("vdsm-sanlock.service", "vdsm-wdmd.service"), timeout=300)
    host.wait(f"{CLIENT} status", timeout=300)


def on_disk(host: Machine, domain: str) -> dict[str, int]:
    """The timestamps of what the host had on the storage, by name; 0: it was given back."""
    ids = dump(host, f"{PLACE}/{domain}/dom_md/ids")
    [host_id] = [each for each in ids if each["own"] == 1]
    [spm] = dump(host, f"{PLACE}/{domain}/dom_md/leases", offset=MIB)
    assert (spm["resource"], spm["own"]) == ("SDM", 1)
    return {"host id": host_id["timestamp"], "SPM": spm["timestamp"]}


def test_a_reboot_gives_the_leases_back_and_the_host_is_spm_again(
    host: Machine, report: Report
) -> None:
    with session(host) as call:
        engine = Engine(call, NFS, CONNECTION, patience_s=300)
        engine.begin()
    assert host.show("vdsm-wdmd.service", "ActiveState") == "active"
    both = ({engine.domain: 1}, [(engine.domain, "SDM")])
    assert ids_and_leases(host) == both
    assert all(on_disk(host, engine.domain).values())

    before = Boot.now(host)
    began = time.monotonic()
    ended = shut_down(host)
    took = time.monotonic() - began
    boot(host)
    assert Boot.now(host).id != before.id
    assert ended, f"not off within {OFF_S:.0f} s:\n{before.journal()[-8000:]}"
    report(f"a shutdown with leases held took {took:.0f} s")
    stopped = before.said_by_systemd(*ENDING)
    for unit in ENDING:
        assert f"Stopping {unit}" in stopped
    assert "timed out" not in stopped
    kernel = before.journal("--dmesg")
    assert "watchdog did not stop" not in kernel
    assert "Reboot ignored" not in kernel  # softdog's words when it fires

    # Nobody takes anything before an engine asks, and nobody else would have had to wait.
    assert host.show("vdsm-wdmd.service", "ActiveState") == "active"
    assert ids_and_leases(host) == ({}, [])
    with session(host) as call:
        engine = replace(engine, call=call)
        engine.connect_server()
        assert on_disk(host, engine.domain) == {"host id": 0, "SPM": 0}
        began = time.monotonic()
        engine.connect_pool()
        engine.spm_start()
        report(f"it was SPM again {time.monotonic() - began:.0f} s after an engine asked")
        assert engine.spm_status()["spmStatus"] == "SPM"
        assert ids_and_leases(host) == both
        assert all(on_disk(host, engine.domain).values())
        engine.finish()
    assert ids_and_leases(host) == ({}, [])
