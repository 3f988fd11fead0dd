# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool archive`: a pair of images in one file, for hosts that reach no registry.

create  makes one of the pair that is pinned, or of two images that podman has or pulls
verify  looks at one as `upgrade` would, and changes nothing
load    gives the images of one to podman, as `upgrade` would, and changes nothing that runs
"""

import argparse
import sys
from typing import TYPE_CHECKING

from msgspec import Struct

from vdsm_tool import output
from vdsm_tool.commands import add_action
from vdsm_tool.errors import HEALTHY, ToolError
from vdsm_tool.host import Host, this_host
from vdsm_tool.upgrade import archive, fetch, hostfile, images, pins, signature
from vdsm_tool.upgrade.model import Pair

if TYPE_CHECKING:
    from vdsm_tool.commands import Subparsers

_EXAMPLES = """\
examples:
  vdsm-tool archive create /var/tmp/vdsm.tar
  vdsm-tool archive create vdsm.tar localhost/vdsm:latest localhost/supervdsm:latest
  vdsm-tool archive create vdsm.tar --sign minisign.key     # made by `minisign -G`
  vdsm-tool archive verify vdsm.tar
  vdsm-tool archive verify vdsm.tar --key minisign.pub
  vdsm-tool archive load vdsm.tar                           # so that `upgrade` takes less time
"""


class Report(Struct, frozen=True, rename="camel"):
    """What `create` made or `verify` found to be right; `size` in bytes.

    `signer` is the trusted comment of the signature, "" when the signature was not checked.
    """

    file: str
    size: int
    created: str
    signed: bool
    signer: str
    pair: Pair


def register(subparsers: "Subparsers") -> None:
    """Add the parsers of `archive create` and `archive verify`."""
    parser = subparsers.add_parser(
        "archive",
        help="make, check or load a file with both images",
        description="Make, check or load a file with both images of a release.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    create = _action(actions, "create", "make an archive of two images")
    create.add_argument(
        "images",
        nargs="*",
        metavar="IMAGE",
        help="vdsm's image and supervdsm's, by name or id; podman pulls what it does not have "
        "(default: the pinned pair)",
    )
    create.add_argument(
        "--sign", metavar="KEY", help="sign it by this secret key of minisign, a file of the host"
    )
    create.set_defaults(run=run_create)
    verify = _action(actions, "verify", "check an archive as `upgrade` does; nothing is loaded")
    verify.add_argument(
        "--key",
        metavar="KEY",
        help="check the signature by this public key of minisign "
        "(default: /etc/vdsm/upgrade.pub, if it exists)",
    )
    verify.set_defaults(run=run_verify)
    load = _action(actions, "load", "check an archive, and give its images to podman")
    load.set_defaults(run=run_load)


def _action(actions: "Subparsers", name: str, description: str) -> argparse.ArgumentParser:
    parser = add_action(actions, name, description, _EXAMPLES)
    parser.add_argument("file", metavar="FILE", help="the archive, a file of the host")
    return parser


def run_create(arguments: argparse.Namespace) -> int:
    """Make an archive."""
    host = this_host()
    target = hostfile.new(arguments.file, host)
    key = hostfile.existing(arguments.sign, host) if arguments.sign else None
    pair = _chosen(arguments.images, host)
    _tell(f"saving version {pair.version}, contract {pair.contract}")
    made = archive.create(target, lambda file: images.save(pair, file), key, _tell)
    _report(arguments, made)
    return HEALTHY


def run_verify(arguments: argparse.Namespace) -> int:
    """Check an archive."""
    host = this_host()
    path = hostfile.existing(arguments.file, host)
    key = hostfile.existing(arguments.key, host) if arguments.key else signature.public_key(host)
    checked = archive.check(path, key, images.architecture(), _tell)
    _report(arguments, checked)
    return HEALTHY


def run_load(arguments: argparse.Namespace) -> int:
    """Load the images of an archive; what runs and what is pinned stays as it is."""
    pair = fetch.fetch([arguments.file], this_host(), _tell)
    if output.wants_json(arguments):
        output.print_json(pair)
    else:
        print(f"podman has vdsm {pair.vdsm} and supervdsm {pair.supervdsm}, version {pair.version}")
    return HEALTHY


def _chosen(names: list[str], host: Host) -> Pair:
    if len(names) == 2:
        return fetch.pull(names, host, _tell)
    if names:
        raise ToolError("One image is given", "Give both images of one release, or none.")
    pair = pins.current(host.root)
    if pair is None:
        raise ToolError("No pair is pinned on this host", "Name two images; see `podman images`.")
    return pair


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _report(arguments: argparse.Namespace, made: archive.Archive) -> None:
    report = Report(
        file=str(arguments.file),
        size=made.path.stat().st_size,
        created=made.manifest.created,
        signed=made.is_signed,
        signer=made.signer or "",
        pair=made.pair,
    )
    if output.wants_json(arguments):
        output.print_json(report)
        return
    pair = report.pair
    print(f"archive       {report.file} ({report.size / 1_000_000:.0f} MB)")
    print(f"version       {pair.version}, contract {pair.contract}, {pair.architecture}")
    print(f"revision      {pair.revision or '-'}")
    print(f"created       {report.created}")
    print(f"vdsm          {pair.vdsm}")
    print(f"supervdsm     {pair.supervdsm}")
    if report.signer:
        print(f"signature     right: {report.signer}")
    else:
        print(f"signature     {'there, not checked' if report.signed else 'none'}")
