# SPDX-License-Identifier: GPL-2.0-or-later
"""Where upgrades keep what must outlive them; paths of the host.

    /etc/vdsm/pins/NAME/supervdsm.conf   a drop-in, `Image=ID`; one directory for each pair
    /etc/vdsm/pins/NAME/vdsm.conf
    /etc/vdsm/pins/NAME/pair.json        the Pair
    /etc/vdsm/pins/current -> NAME       what decides which pair runs; changed by one rename
    /etc/containers/systemd/UNIT.container.d/50-pin.conf -> /etc/vdsm/pins/current/….conf
    /var/lib/vdsm/upgrade/pending.json   the upgrade under way, if any
    /var/lib/vdsm/upgrade/images.env     OLD=ID and NEW=ID for vdsm-upgrade.service
    /var/lib/vdsm/upgrade/history.jsonl  how each one ended
    /var/lib/vdsm/upgrade/lock           flock(2)ed by whoever changes any of these
    /run/vdsm/upgrade.progress           what vdsm-upgrade.service tells; a reboot forgets it

The pins are below /etc because Quadlet reads them when nothing but the root is mounted.
"""

from typing import Final

from vdsm_contract.paths import CONFIG_DIR, RUN_DIR, STATE_DIR

PINS: Final = CONFIG_DIR / "pins"
CURRENT: Final = PINS / "current"
STATE: Final = STATE_DIR / "upgrade"
PENDING: Final = STATE / "pending.json"
IMAGES_ENV: Final = STATE / "images.env"
HISTORY: Final = STATE / "history.jsonl"
LOCK: Final = STATE / "lock"
PROGRESS: Final = RUN_DIR / "upgrade.progress"
PUBLIC_KEY: Final = CONFIG_DIR / "upgrade.pub"
"""A minisign key. When it is there, archives must be signed by it."""
