# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of vdsm-tool, one module each: `register` adds the parser, `run` does the work."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Only the type stubs know that the class is generic.
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001
