# SPDX-License-Identifier: GPL-2.0-or-later
"""The program of `vdsm-sanlock.service` and `vdsm-wdmd.service`: reads the settings and becomes
sanlock(8) or wdmd(8).

Whether a watchdog stands behind the leases is decided here, once for both, and said in the journal:
`[sanlock] watchdog` in vdsm.conf.
"""

import os
import re
import sys
from pathlib import Path
from typing import Final

from vdsm_contract import config as configuration
from vdsm_contract.config import Config
from vdsm_contract.paths import CONFIG_DIR

DEVICES: Final = Path("/host/dev")
"""The host's /dev in the container of sanlock, only to look at."""

_WORKERS: Final = 50
"""oVirt's number of threads: one slow domain must not hold up the others."""

_HOST_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,47}")


def watchdog_device(config: Config, devices: Path) -> bool:
    """Return whether the host's watchdog is to stand behind the leases."""
    if config.watchdog == "auto":
        return (devices / "watchdog").exists()
    return config.watchdog == "yes"


def host_name(config_dir: Path) -> str | None:
    """Return the name that leases of this host carry: vdsm.id, as for the engine. None: sanlock
    takes the UUID of the firmware, or makes one up at each start."""
    try:
        text = (config_dir / "vdsm.id").read_text(errors="replace").strip()
    except OSError:
        return None
    return text if _HOST_NAME.fullmatch(text) else None


def sanlock_command(*, watchdog: bool, name: str | None) -> list[str]:
    """Return the command line of sanlock: in the foreground, and with no log but the journal."""
    command = ["sanlock", "daemon", "-D", "-L", "-1", "-S", "-1"]
    command += ["-U", "sanlock", "-G", "sanlock", "-t", str(_WORKERS), "-w", str(int(watchdog))]
    return [*command, "-e", name] if name else command


def wdmd_command() -> list[str]:
    """Return the command line of wdmd: in the foreground, its socket for sanlock."""
    return ["wdmd", "-D", "-G", "sanlock"]


def main() -> int:
    """vdsm-sanlock sanlock|wdmd. Returns only when nothing is to run, or nothing can."""
    if sys.argv[1:] not in (["sanlock"], ["wdmd"]):
        print("Usage: vdsm-sanlock sanlock|wdmd", file=sys.stderr)
        return 2
    try:
        config = configuration.load().config
        if sys.argv[1] == "sanlock":
            _become(_sanlock(config))
        if config.watchdog == "no":
            _say("No watchdog, as [sanlock] watchdog says: wdmd does not run")
            return 0
        _become(wdmd_command())
    except (configuration.ConfigError, OSError) as error:
        print(f"vdsm-sanlock: {error}", file=sys.stderr)
    return 1


def _sanlock(config: Config) -> list[str]:
    watchdog = watchdog_device(config, DEVICES)
    if watchdog:
        _say("The watchdog resets this host when it lost its leases and cannot stop who uses them")
    else:
        reason = "as [sanlock] watchdog says" if config.watchdog == "no" else "for it has none"
        _say(f"This host works without a watchdog, {reason}: nothing but SIGKILL stops who lost "
             "a lease")  # fmt: skip
    return sanlock_command(watchdog=watchdog, name=host_name(CONFIG_DIR))


def _say(text: str) -> None:
    print(f"vdsm-sanlock: {text}", flush=True)


def _become(command: list[str]) -> None:
    # Debug output on stderr, which would be errors in the journal.
    os.dup2(sys.stdout.fileno(), sys.stderr.fileno())
    os.execvp(command[0], command)  # noqa: S606 - no shell is what is wanted
