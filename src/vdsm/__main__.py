# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m vdsm` is the `vdsm` command."""

import sys

from vdsm.main import main

sys.exit(main())
