# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of vdsm-tool: finds the command, runs it, and turns errors into sentences.

Each command is one module with `register(subparsers)`, which adds its parser and sets the
default `run`, a function from the parsed arguments to the exit status. A new command is one more
in COMMANDS.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Final

from vdsm_contract.version import CONTRACT_VERSION, RELEASE
from vdsm_tool.commands import (
    archive,
    check,
    config,
    history,
    net,
    pin,
    pki,
    rollback,
    sbom,
    status,
    storage,
    trace,
    upgrade,
    upgrade_run,
    upgrade_undo,
)
from vdsm_tool.errors import UNKNOWN, ToolError

COMMANDS: Final = (
    status,
    check,
    config,
    net,
    storage,
    trace,
    pki,
    upgrade,
    rollback,
    history,
    archive,
    pin,
    sbom,
    upgrade_run,
    upgrade_undo,
)

_INTERRUPTED: Final = 130


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="vdsm-tool",
        description="Look after vdsm and supervdsm on this host.",
        epilog="Exit status: 0 well, 1 not well or not done, 2 cannot tell or wrong usage.",
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"vdsm-tool {RELEASE}, contract {CONTRACT_VERSION}",
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.register(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` (default: the process's) and return the exit status."""
    arguments = make_parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        status = run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough; stdout must not be flushed again at exit.
        sys.stderr.close()
        return UNKNOWN
    except Exception as error:
        if arguments.debug:
            raise
        return _tell(error)
    return status


def _tell(error: Exception) -> int:
    """Print one sentence and a hint about `error`; return the exit status."""
    match error:
        case ToolError():
            sentence, hint, status = error.sentence, error.hint, error.status
        case PermissionError(filename=str(name)):
            sentence, hint, status = f"{name}: {error.strerror}", "Run vdsm-tool as root.", 1
        case OSError(filename=str(name)):
            sentence, hint, status = f"{name}: {error.strerror}", "", 1
        case _:
            sentence = f"vdsm-tool failed unexpectedly: {type(error).__name__}: {error}"
            hint, status = "`vdsm-tool --debug …` shows where; please report it.", UNKNOWN
    sys.stdout.flush()
    print(f"vdsm-tool: {sentence}", file=sys.stderr)
    if hint:
        print(f"  -> {hint}", file=sys.stderr)
    return status
