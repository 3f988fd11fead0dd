# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings of hypothesis: no time limits on a shared machine; the same examples in each CI run."""

import os

from hypothesis import settings

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
