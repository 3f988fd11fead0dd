# SPDX-License-Identifier: GPL-2.0-or-later
"""A test host under attack: runs the programs of `attacks/` where a compromised vdsm is."""

import json
import shlex
import subprocess
from dataclasses import dataclass
from typing import Any, Final

from machines import Machine
from security.campaign import ATTACKS
from security.verbs import TARGET
from vdsm_contract.paths import SUPERVDSM_SOCKET
from vdsm_contract.version import CONTRACT_VERSION

KIT: Final = "/var/lib/vdsm/storage/attacks"
"""Where vdsm's container, which has only what is in its image, finds the programs."""

CONFIG: Final = {"socket": str(SUPERVDSM_SOCKET), "contract": CONTRACT_VERSION}

_PLACES: Final = f"{TARGET}* /srv/attack*"

# What supervdsm could have changed, on the host and in the kernel: names, owners, modes, sizes,
# times and link targets of the system's files, and settings by their values. The kernel's own work
# ends first: with each address that is new comes a route, once nobody else is found to have it.
_STATE: Final = r"""
until [ -z "$(ip -6 address show tentative)" ]; do sleep 0.2; done
find /etc /usr /root /boot /opt /home /srv /var/lib/vdsm/supervdsm /var/lib/vdsm/staging \
    /var/lib/vdsm/persistence /var/lib/vdsm/dhcp /dev -xdev \
    \( -path /dev/pts -o -path /dev/shm -o -path /dev/char -o -type c \) -prune -o \
    -printf '%p %M %U %G %l %y\n' 2>/dev/null | sort
find /etc /usr/bin /usr/sbin /root /srv -xdev -type f -printf '%p %s %T@\n' 2>/dev/null | sort
awk '{ print $3, $4, $5, $6 }' /proc/1/mountinfo | grep -v -e /overlay/ -e /run/credentials/ | sort
ip -o link show | sed 's/ state [A-Z]*//'
ip -o address show scope global
ip route show table all; ip rule show
tc qdisc show; bridge link show
cd /sys/kernel/mm/ksm; grep . run sleep_millisecs pages_to_scan merge_across_nodes
grep . /sys/kernel/mm/hugepages/*/nr_hugepages
grep . /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/kernel/core_pattern
cat /etc/resolv.conf
systemctl list-units --no-legend --plain 'vdsm*' 'supervdsm*' | awk '{ print $1, $3 }'
"""


@dataclass(frozen=True)
class Siege:
    """A machine with the pair, and the programs in it."""

    host: Machine

    def begin(self) -> None:
        """Bring the programs in, and make the directories of the host that they use."""
        self.host.sh(f"rm -rf {KIT}")
        self.host.copy_in(ATTACKS, KIT)
        self.host.sh(f"chmod -R a+rX {KIT}; rm -rf {_PLACES}; install -d -o 36 -g 36 /srv/attack")

    def end(self) -> None:
        """Take all of it away."""
        self.host.sh(
            "findmnt --raw --noheadings --output TARGET | grep /attack | xargs -r umount --lazy;"
            f"rm -rf {KIT} {_PLACES}"
        )

    def attack(self, program: str, timeout: float = 500, **config: object) -> Any:
        """Run a program as uid 36 inside of vdsm's container; return what it printed."""
        done = self.host.run(*_inside(program), stdin=_config(config), timeout=timeout)
        return json.loads(done.stdout)

    def start(self, program: str, **config: object) -> "subprocess.Popen[bytes]":
        """Start a program there that is spoken with line by line."""
        process = self.host.start(*_inside(program))
        assert process.stdin is not None
        process.stdin.write(_config(config) + b"\n")
        process.stdin.flush()
        return process

    def outside(self, program: str, uid: int = 36, **config: object) -> Any:
        """Run a program as a uid, in no service and in no container."""
        argv = [f"--reuid={uid}", "--regid=36", "--clear-groups", "python3", f"{KIT}/{program}.py"]
        return json.loads(self.host.run("setpriv", *argv, stdin=_config(config)).stdout)

    def state(self) -> list[str]:
        """Return what must not change, as lines."""
        return self.host.sh(_STATE).splitlines()

    def journal(self, unit: str, since: str) -> str:
        """Return what a unit wrote since the cursor `since`."""
        return self.host.sh(
            "journalctl --sync;"
            f"journalctl --unit={unit}.service --output=cat --after-cursor={shlex.quote(since)}",
            timeout=120,
        )

    def now(self) -> str:
        """Return the journal's cursor."""
        shown = self.host.sh("journalctl --sync; journalctl --lines=0 --show-cursor")
        return shown.rpartition("-- cursor: ")[2].strip()


def _inside(program: str) -> list[str]:
    argv = ["podman", "exec", "--interactive", "--user=36:36", "vdsm"]
    return [*argv, "/opt/venv/bin/python", "-B", f"{KIT}/{program}.py"]


def _config(config: dict[str, object]) -> bytes:
    return json.dumps(CONFIG | config).encode()
