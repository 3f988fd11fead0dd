# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line that containers/testhost and containers/testvm share."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence

from testenv.actions import SIGNALS, Actions, Interrupted, Options, interrupt
from testenv.commands import require_root_and_tools
from testenv.machine import Machine
from testenv.report import Failed, progress, show_failure

DEFAULT_NAME = "default"

_EPILOG = """\
examples:
  {command} up                              one named "default", with the pair running
  {command} exec -- systemctl status vdsm   run a command in it; its output, status, stdin
  {command} up --bare --name a              another one, without the pair
  {command} exec a b -- ip address          the same command in several, one after the other
  {command} exec --peer -- nc -z 192.0.2.2 54321
                                            a program of this machine beside it, on its network
  {command} copy ./file default:/root/      into it; the other way round works too
  {command} power-cut a && {command} boot a
  {command} down --all
"""


def main(
    machine: Callable[[str], Machine], *, kind: str, command: str, title: str, tools: Sequence[str]
) -> int:
    """Run one command line; return the exit status."""
    for number in SIGNALS:
        signal.signal(number, interrupt)
    # What follows `--` is another program's command line.
    ours, dashes, argv = _split(sys.argv[1:])
    parser = _parser(command, title)
    parsed = parser.parse_args(ours)
    if parsed.word == "exec" and not argv:
        parser.error("the command is missing: exec [NAME …] -- COMMAND")
    if parsed.word != "exec" and dashes:
        parser.error("only exec takes a command after --")
    try:
        require_root_and_tools(*tools)
        run = getattr(Actions(machine, kind), parsed.word.replace("-", "_"))
        status: int = run(_options(parsed, argv))
        return status
    except Failed as failure:
        show_failure(failure)
        return 1
    except Interrupted as interrupted:
        progress("interrupted")
        return 128 + interrupted.number
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _split(arguments: Sequence[str]) -> tuple[list[str], bool, tuple[str, ...]]:
    if "--" not in arguments:
        return list(arguments), False, ()
    at = list(arguments).index("--")
    return list(arguments[:at]), True, tuple(arguments[at + 1 :])


def _options(parsed: argparse.Namespace, argv: tuple[str, ...]) -> Options:
    given = vars(parsed)
    positional = given.pop("positional", None) or []
    if isinstance(positional, str):
        positional = [positional]
    named = given.pop("name", None) or []
    names = (*named, *positional) or (DEFAULT_NAME,)
    del given["word"]
    return Options(name=names[0], names=names, argv=argv, **given)


def _parser(command: str, title: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=command,
        description=f"Disposable {title}s: made, used and thrown away, without a trace here.",
        epilog=_EPILOG.format(command=command),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words = parser.add_subparsers(required=True, metavar="WORD", dest="word")

    def word(name: str, text: str, *, many: bool = False) -> argparse.ArgumentParser:
        sub = words.add_parser(name, help=text, description=text)
        sub.add_argument("positional", nargs="*" if many else "?", metavar="NAME")
        sub.add_argument("--name", action="append", metavar="NAME", help="the same as NAME")
        return sub

    up = word("up", f"start a {title}, with the pair installed and running")
    up.add_argument("--bare", action="store_true", help="without the pair")
    up.add_argument("--keep", action="store_true", help="if it fails, keep it to look at")
    execute = word("exec", "run a command in it: exec [NAME …] -- COMMAND", many=True)
    execute.add_argument(
        "--peer", action="store_true", help="beside it: with this machine's files, on its network"
    )
    copying = words.add_parser("copy", help="copy a file or directory into it or out of it")
    copying.add_argument("source", metavar="[NAME:]SOURCE")
    copying.add_argument("target", metavar="[NAME:]TARGET")
    logs = word("logs", "show the journals of vdsm and supervdsm")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as they grow")
    collect = word("collect", "write its journals and the state of its units to a directory")
    collect.add_argument("--to", dest="directory", required=True, metavar="DIR", help="that one")
    word("shell", "open a shell in it")
    down = word("down", "shut it down and remove every trace")
    down.add_argument("--all", action="store_true", help="all of them")
    word("power-cut", "end it at once, as a power cut does")
    word("boot", "boot it again from its disk")
    word("reboot", "shut it down and boot it again")
    words.add_parser("list", help="list them: name, state, directory")
    return parser
