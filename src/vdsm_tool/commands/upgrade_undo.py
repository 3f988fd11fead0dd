# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool upgrade-undo`: bring an upgrade to an end that was cut off.

For vdsm-upgrade.service and vdsm-upgrade-resume.service, which run it from the old image; and for
people, when those could not.
"""

import argparse
import sys
from typing import TYPE_CHECKING

from vdsm_tool.commands import upgrade
from vdsm_tool.errors import FAILED, HEALTHY
from vdsm_tool.host import this_host
from vdsm_tool.upgrade import journal, progress
from vdsm_tool.upgrade.model import Outcome
from vdsm_tool.upgrade.undo import undo

if TYPE_CHECKING:
    from vdsm_tool.commands import Subparsers


def register(subparsers: "Subparsers") -> None:
    """Add the parser of `upgrade-undo`."""
    parser = subparsers.add_parser(
        "upgrade-undo",
        help="bring an upgrade to an end that was cut off",
        description="Put the old pair back when an upgrade was cut off; finish it when the new "
        "pair was kept already. Does nothing when there is none. It may be run again at any time.",
    )
    parser.add_argument(
        "--boot", action="store_true", help="start nothing: the boot does, from the pins"
    )
    parser.add_argument(
        "--result", default="", metavar="RESULT", help="how systemd saw the upgrade end"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Undo or finish what is on record."""
    host = this_host()
    try:
        entry = undo(host, progress.to_all(host), result=arguments.result, boot=arguments.boot)
    except journal.Busy as error:
        if not arguments.boot:
            raise
        # vdsm.target was started anew during an upgrade, which looks after itself.
        print(error.sentence, file=sys.stderr)
        return HEALTHY
    if entry is None:
        print("There is nothing to undo")
        return HEALTHY
    print("\n".join(upgrade.lines(entry)))
    return FAILED if entry.outcome is Outcome.BROKEN else HEALTHY
