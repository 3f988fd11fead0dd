# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots of the VM, and what somebody who waits for the network finds there."""

import json
from typing import Any, Final

from machines import SERVES
from vm.shell import Shell
from vm.site import Site

_NAME: Final = "online.service"
# Somebody who needs the network, and starts at boot.
_UNIT: Final = """
[Unit]
Wants=network-online.target
After=network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=sh -c 'ip -j addr >/run/at-online'
[Install]
WantedBy=multi-user.target
"""


def reboot(site: Site) -> None:
    """Shut it down and boot it, and wait for the pair."""
    site.vm.tool_run("reboot", site.vm.name, timeout=900)
    up_again(site)


def up_again(site: Site) -> None:
    """Wait for the pair after a boot; the world at the other ends is empty."""
    site.shell.close()
    site.engine.reconnect()
    site.vm.wait(SERVES, timeout=300)


class Witness:
    """Somebody who needs the network, and looks at it once in a boot."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def place(self) -> None:
        """From the next boot on it looks."""
        self._shell(
            f"cat >/etc/systemd/system/{_NAME} <<'end'{_UNIT}end\n"
            f"systemctl daemon-reload; systemctl enable -q {_NAME}"
        )

    def dismiss(self) -> None:
        """No boot has it any longer."""
        self._shell(
            f"systemctl disable -q --now {_NAME} || true\n"
            f"rm -f /etc/systemd/system/{_NAME}; systemctl daemon-reload"
        )

    def addresses(self) -> dict[str, set[str]]:
        """What it found at the last boot: the global addresses of each device."""
        self._shell(f"until systemctl is-active --quiet {_NAME}; do sleep 0.5; done", timeout=300)
        found: list[Any] = json.loads(self._shell("cat /run/at-online"))
        return {
            one["ifname"]: {addr["local"] for addr in one["addr_info"] if addr["scope"] == "global"}
            for one in found
        }

    def assert_restored_before(self) -> None:
        """supervdsm had restored the networks when the network was said to be there."""
        restored, needed = map(self._moment, ("supervdsm.service", "network-online.target"))
        assert 0 < restored <= needed

    def _moment(self, unit: str) -> int:
        """When a unit became active in this boot, in microseconds."""
        return int(self._shell(f"systemctl show -P ActiveEnterTimestampMonotonic {unit}"))
