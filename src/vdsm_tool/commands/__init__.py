# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of vdsm-tool, one module each: `register` adds the parser, `run` does the work."""

import argparse
from typing import TYPE_CHECKING

from vdsm_tool import output

if TYPE_CHECKING:
    # Only the type stubs know that the class is generic.
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001


def add_action(
    actions: "Subparsers", name: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """Add and return the parser of one action of a command, with the options of its output."""
    parser = actions.add_parser(
        name,
        help=description,
        description=f"{description[0].upper()}{description[1:]}.",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    output.add_arguments(parser)
    return parser
