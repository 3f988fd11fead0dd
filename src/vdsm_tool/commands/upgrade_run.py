# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool upgrade-run`: the swap of images that `vdsm-tool upgrade` prepared.

For vdsm-upgrade.service, which runs it from the new image.
"""

import argparse
from typing import TYPE_CHECKING

from vdsm_tool.errors import HEALTHY
from vdsm_tool.host import this_host
from vdsm_tool.upgrade import progress
from vdsm_tool.upgrade.run import run as swap

if TYPE_CHECKING:
    from vdsm_tool.commands import Subparsers


def register(subparsers: "Subparsers") -> None:
    """Add the parser of `upgrade-run`."""
    parser = subparsers.add_parser(
        "upgrade-run",
        help="used by vdsm-upgrade.service: swap the images",
        description="Do what `vdsm-tool upgrade` prepared. Used by vdsm-upgrade.service, from the "
        "new image; it never undoes anything.",
    )
    parser.set_defaults(run=run)


def run(_arguments: argparse.Namespace) -> int:
    """Swap the images."""
    host = this_host()
    swap(host, progress.to_all(host))
    return HEALTHY
