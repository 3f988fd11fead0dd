# SPDX-License-Identifier: GPL-2.0-or-later
"""The `vdsm-client` command: one call of vdsm's API from a shell.

Prints the result as JSON. Exit status: 0 when the call succeeded, 1 when it or the connection
failed, 2 when the command line means nothing.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from vdsm.client import help as texts
from vdsm.client.api import TIMEOUT_S, CallError, Client
from vdsm.client.transport import ConnectError, Endpoint, mutual_tls, plain
from vdsm.client.values import UsageError, from_file, parameters
from vdsm.jsonrpc import schema
from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.schema import Schema, Verb, redact
from vdsm.jsonrpc.tls import Identity
from vdsm_contract.config import ConfigError
from vdsm_contract.config import load as load_config
from vdsm_contract.paths import CONFIG_DIR, MANAGEMENT_PORT, PKI_DIR
from vdsm_contract.version import RELEASE

PROGRAM = "vdsm-client"
_LOCAL = "localhost"
_LONGEST_S = 86400.0


def main(argv: list[str] | None = None) -> int:
    """Runs the command. Returns its exit status."""
    api = schema.load()
    parser = _parser(api)
    arguments = parser.parse_intermixed_args(argv)
    try:
        if arguments.namespace is None:
            parser.print_help()
            return 0 if arguments.help else 2
        verb = _find(api, arguments.namespace, arguments.verb)
        if verb is None or arguments.help:
            named = texts.verb(api, verb) if verb else texts.namespace(api, arguments.namespace)
            print(named)
            return 0 if arguments.help else 2
        return _call(arguments, verb, _parameters(api, arguments, verb))
    except UsageError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except ConnectError as error:
        print(f"{PROGRAM}: {error}\n  hint: {error.hint}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read the output has enough; keeps the interpreter from complaining at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _call(arguments: argparse.Namespace, verb: Verb, params: dict[str, JSON]) -> int:
    endpoint = _endpoint(arguments)
    try:
        with Client(endpoint, timeout=arguments.timeout, flow_id=arguments.flow_id) as client:
            result = client.call_with(verb.name, params)
    except CallError as error:
        shown = msgspec.json.encode(redact(dict(params))).decode()
        print(
            f"{PROGRAM}: Command {verb.name} with args {shown} failed:\n"
            f"(code={error.code}, message={error.message})",
            file=sys.stderr,
        )
        return 1
    except TimeoutError:
        print(
            f"{PROGRAM}: {verb.name} did not answer within {arguments.timeout:g} s;"
            " whether it took effect is unknown\n  hint: give it more time with --timeout SECONDS",
            file=sys.stderr,
        )
        return 1
    print(msgspec.json.format(msgspec.json.encode(result, order="sorted"), indent=4).decode())
    sys.stdout.flush()
    return 0


def _parameters(api: Schema, arguments: argparse.Namespace, verb: Verb) -> dict[str, JSON]:
    """What the file says, and what the words say over it."""
    params: dict[str, JSON] = {}
    if arguments.file == "-":
        params = from_file(verb, "stdin", sys.stdin.buffer.read())
    elif arguments.file:
        try:
            content = Path(arguments.file).read_bytes()
        except OSError as error:
            raise UsageError(f"{arguments.file} cannot be read: {error.strerror}") from None
        params = from_file(verb, arguments.file, content)
    return params | parameters(api, verb, arguments.params)


def _find(api: Schema, namespace: str, name: str | None) -> Verb | None:
    """The verb; None when only a namespace was named. Raises UsageError."""
    if namespace not in api.namespaces:
        raise UsageError(f"there is no namespace {namespace!r}{_guess(namespace, api.namespaces)}")
    if name is None:
        return None
    verb = api.verbs.get(f"{namespace}.{name}")
    if verb is None:
        names = [v.partition(".")[2] for v in api.verbs if v.startswith(f"{namespace}.")]
        raise UsageError(f"{namespace} has no verb {name!r}{_guess(name, names)}")
    return verb


def _guess(wrong: str, right: Iterable[str]) -> str:
    by_lower = {name.lower(): name for name in right}
    close = difflib.get_close_matches(wrong.lower(), by_lower, 1)
    return f"; did you mean {by_lower[close[0]]}?" if close else ""


def _endpoint(arguments: argparse.Namespace) -> Endpoint:
    if arguments.no_tls or (arguments.host == _LOCAL and not _tls_is_on()):
        return plain(arguments.host, arguments.port)
    identity = Identity(arguments.key, arguments.cert, arguments.ca)
    name = arguments.tls_name
    return mutual_tls(arguments.host, arguments.port, identity=identity, name=name)


def _tls_is_on() -> bool:
    """What this host's vdsm.conf says."""
    try:
        return load_config(CONFIG_DIR).config.ssl
    except ConfigError as error:
        raise UsageError(str(error)) from None


def _port(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= _LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def _parser(api: Schema) -> argparse.ArgumentParser:
    default = Identity.below(PKI_DIR)
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [options] NAMESPACE VERB [key=value ...]",
        description="Calls vdsm's API and prints the result as JSON. A value is text where the "
        "verb wants text, and JSON where it wants anything else. Other users of this machine can "
        "see a command line: give secrets in a file (-f).",
        epilog=texts.namespaces(api),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    add = parser.add_argument
    add("namespace", nargs="?", metavar="NAMESPACE", help="such as Host or StoragePool")
    add("verb", nargs="?", metavar="VERB", help="such as getCapabilities")
    add("params", nargs="*", metavar="key=value", help="the verb's parameters")
    add("-h", "--help", action="store_true", help="help on what comes before it")
    add("--version", action="version", version=f"{PROGRAM} {RELEASE}")
    add("-f", "--file", metavar="FILE", help="JSON object with the parameters; - is stdin")
    add("--host", default=_LOCAL, help="default: %(default)s")
    add("-p", "--port", type=_port, default=MANAGEMENT_PORT, help="default: %(default)s")
    add("--flow-id", default="", metavar="ID", help="marks the call in the journals")
    seconds = "SECONDS"
    add("--timeout", type=_seconds, default=TIMEOUT_S, metavar=seconds, help="default: %(default)g")
    add("--no-tls", "--insecure", action="store_true", help="plain TCP, for [vars] ssl = false")
    add("--ca", type=Path, default=default.ca, metavar="PEM", help="default: %(default)s")
    add("--cert", type=Path, default=default.certificate, metavar="PEM", help="%(default)s")
    add("--key", type=Path, default=default.key, metavar="PEM", help="%(default)s")
    add("--tls-name", default="", metavar="NAME", help="in vdsm's certificate (default: the host)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
