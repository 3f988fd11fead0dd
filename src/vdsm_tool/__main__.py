# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m vdsm_tool`: the command without its console script."""

import sys

from vdsm_tool.cli import main

sys.exit(main())
