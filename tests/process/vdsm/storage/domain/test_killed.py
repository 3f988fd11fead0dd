# SPDX-License-Identifier: GPL-2.0-or-later
"""A process that makes and wipes domains is killed at any time: there is a whole domain or none."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from process.vdsm.storage.domain.mounted_site import MountedSite
from storage.domain_site import DOMAIN

_CHILD = Path(__file__).with_name("make_and_wipe.py")
_ROOT = Path(__file__).parents[5]
_KILLS = 5


def test_a_kill_leaves_a_whole_domain_or_none(site: MountedSite) -> None:
    mount = site.small()
    for kill in range(_KILLS):
        _kill_one(mount, random.Random(kill))
        if site.domains.uuids():
            domain = site.domains.find(DOMAIN)
            assert domain.metadata().uuid == DOMAIN
            assert (domain.path / "images").is_dir()
            assert (domain.path / "dom_md/ids").read_bytes() == b"lockspace"
            site.lifecycle.format(DOMAIN, auto_detach=False)
        site.lifecycle.create(site.new())
        assert [path.name for path in mount.iterdir()] == [DOMAIN]
        site.lifecycle.format(DOMAIN, auto_detach=False)
        assert not list(mount.iterdir())


def _kill_one(mount: Path, when: random.Random) -> None:
    """Kills one that is at work, and waits until its workers are gone too."""
    path = f"{_ROOT / 'src'}:{_ROOT / 'tests'}"
    with subprocess.Popen(
        [sys.executable, _CHILD, mount],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"made\n"
        time.sleep(when.uniform(0, 0.1))  # wherever it is then
        child.kill()
        # The workers have its stderr as well: they are gone when that is closed.
        child.communicate(timeout=60)
