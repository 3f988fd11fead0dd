# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool pki`: certificates for a host without an engine.

init    makes an authority and a host certificate
renew   makes a new host certificate, signed by the authority that `init` made
"""

import argparse
import datetime
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from vdsm_contract.paths import PKI_DIR
from vdsm_tool import output
from vdsm_tool.commands import add_action
from vdsm_tool.errors import HEALTHY, ToolError
from vdsm_tool.pki.authority import Identity, make_authority, make_host
from vdsm_tool.pki.files import OLD_SUFFIX, PkiFiles
from vdsm_tool.pki.names import host_names

if TYPE_CHECKING:
    from vdsm_tool.commands import Subparsers

_EXAMPLES = """\
examples:
  vdsm-tool pki init
  vdsm-tool pki init --host node1.example.com --host 192.0.2.7
  vdsm-tool pki renew
"""


def register(subparsers: "Subparsers") -> None:
    """Add the parsers of `pki init` and `pki renew`."""
    pki = subparsers.add_parser(
        "pki",
        help="make certificates for a host without an engine",
        description="Make certificates for a host without an engine.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = pki.add_subparsers(title="actions", metavar="ACTION", required=True)
    init = _action(actions, "init", "make an authority and a host certificate signed by it")
    init.add_argument("--force", action="store_true", help="replace certificates that are there")
    init.set_defaults(run=run_init)
    renew = _action(actions, "renew", "make a new host certificate, signed by the same authority")
    renew.set_defaults(run=run_renew)


def _action(actions: "Subparsers", name: str, description: str) -> argparse.ArgumentParser:
    parser = add_action(actions, name, description, _EXAMPLES)
    parser.add_argument(
        "--dir",
        type=Path,
        default=PKI_DIR,
        metavar="DIR",
        help="where the files are (default: %(default)s)",
    )
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name or address of this host; the first is the certificate's common name "
        "(this host's own names and addresses are always in it)",
    )
    return parser


def run_init(arguments: argparse.Namespace) -> int:
    """Make an authority and a host certificate."""
    files = PkiFiles(arguments.dir)
    existing = files.existing()
    if existing and not arguments.force:
        raise ToolError(
            f"There are certificates already: {', '.join(map(str, existing))}",
            "Nothing was changed. `--force` replaces them: clients must then trust the new "
            "authority; `vdsm-tool pki renew` keeps the authority.",
        )
    now = _now()
    names = host_names(arguments.host)
    authority = make_authority(names[0], now=now)
    host = _sign(authority, names, now)
    files.write(authority=authority, host=host)
    _report(files, host, names, replaced=existing, as_json=output.wants_json(arguments))
    return HEALTHY


def run_renew(arguments: argparse.Namespace) -> int:
    """Make a new host certificate, signed by the authority that is there."""
    files = PkiFiles(arguments.dir)
    authority = files.read_authority()
    now = _now()
    if authority.certificate.not_valid_after_utc <= now:
        raise ToolError(
            f"The authority in {files.ca_certificate} has expired", "`vdsm-tool pki init --force`."
        )
    names = host_names([*arguments.host, *files.certified_names()])
    replaced = [path for path in (files.key, files.certificate) if path.exists()]
    host = _sign(authority, names, now)
    files.write(authority=None, host=host)
    _report(files, host, names, replaced=replaced, as_json=output.wants_json(arguments))
    return HEALTHY


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def _sign(authority: Identity, names: list[str], now: datetime.datetime) -> Identity:
    try:
        return make_host(authority, names, now=now)
    except ValueError as error:
        hint = "Give a host name such as node1.example.com, or an address, without a port."
        raise ToolError(str(error), hint) from error


def _report(
    files: PkiFiles, host: Identity, names: list[str], *, replaced: list[Path], as_json: bool
) -> None:
    certificate: x509.Certificate = host.certificate
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex(":")
    expires = certificate.not_valid_after_utc.isoformat()
    if as_json:
        output.print_json(
            {
                "authority": str(files.ca_certificate),
                "certificate": str(files.certificate),
                "key": str(files.key),
                "names": names,
                "expires": expires,
                "fingerprint": fingerprint,
                "replaced": [f"{path}{OLD_SUFFIX}" for path in replaced],
            }
        )
        return
    print(f"authority    {files.ca_certificate}")
    print(f"certificate  {files.certificate}")
    print(f"key          {files.key}")
    print(
        textwrap.fill(
            " ".join(names), 90, initial_indent="names        ", subsequent_indent=" " * 13
        )
    )
    print(f"expires      {expires}")
    print(f"SHA-256      {fingerprint}")
    for path in replaced:
        print(f"kept         {path}{OLD_SUFFIX}")
    print("-> A vdsm that runs shows it after `podman kill --signal=HUP vdsm`.")
