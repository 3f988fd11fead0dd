# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes and wipes a domain again and again, until it is killed.

Usage: python make_and_wipe.py MOUNT; prints a line when the first domain is made.
"""

from __future__ import annotations

import sys
from pathlib import Path

from storage.domain_site import DOMAIN, DomainSite, FakeLocks
from vdsm.storage.domain import create
from vdsm.storage.outofprocess.pool import WorkerFileSystems


def main() -> None:
    mount = WorkerFileSystems().at(Path(sys.argv[1]))
    while True:
        create.build(mount, DomainSite.new(), FakeLocks(), lambda _files, _metadata: None)
        print("made", flush=True)
        create.wipe(mount, DOMAIN)


if __name__ == "__main__":
    main()
