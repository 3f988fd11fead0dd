# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool sbom`: what an image is made of, by the list that is in the image itself.

Each image of the pair has a list of its parts (SBOM) in CycloneDX's format, and a label that tells
where: docs/supply-chain.md. It is read out of the image by a container that can do nothing else: no
network, no capability, no user of this host. Source of the format: ECMA-424 (CycloneDX 1.6).
"""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from vdsm_tool import output
from vdsm_tool.errors import HEALTHY, ToolError
from vdsm_tool.host import Host, this_host
from vdsm_tool.state.containers import NAMES

if TYPE_CHECKING:
    from vdsm_tool.commands import Subparsers

LABEL: Final = "org.ovirt.vdsm.sbom"
"""Of an image: the path of its list."""

_READER: Final = (
    "podman", "run", "--rm", "--pull=never", "--log-driver=none", "--network=none",
    "--user=65534:65534", "--cap-drop=all", "--security-opt=no-new-privileges", "--read-only",
    "--entrypoint=cat",
)  # fmt: skip

_WIDEST: Final = 48
"""Characters of licences in a line of the table; some packages of Debian have dozens."""

_EXAMPLES: Final = """\
examples:
  vdsm-tool sbom supervdsm                        what runs now
  vdsm-tool sbom localhost/vdsm:latest            any image of a release that podman has
  vdsm-tool sbom vdsm --json >vdsm.cdx.json       for a scanner of vulnerabilities
  vdsm-tool sbom vdsm | jq -r '.components[] | select(.name == "openssl") | .version'

Columns: the kind (os, Debian's packages are deb, Python's pypi, our own generic), name, version and
licences. The JSON is the file of the image as it is, CycloneDX 1.6.

exit status: 0 shown, 1 the image has no list, 2 podman cannot be asked
"""


class _License(Struct, frozen=True):
    """One by SPDX's `id`, or by `name` where that has none."""

    id: str = ""
    name: str = ""


class _Licensed(Struct, frozen=True):
    license: _License | None = None
    expression: str = ""

    def told(self) -> str:
        return self.expression or (self.license and (self.license.id or self.license.name)) or "?"


class Component(Struct, frozen=True):
    """What is used of a component."""

    type: str
    name: str
    version: str = ""
    purl: str = ""
    licenses: list[_Licensed] = []

    def row(self) -> tuple[str, str, str, str]:
        """Return its line of the table, whatever an image may have written there."""
        kind = self.purl.removeprefix("pkg:").partition("/")[0] if self.purl else self.type
        kind = "os" if kind == "operating-system" else kind
        cells = (kind, self.name, self.version, _shortened([one.told() for one in self.licenses]))
        kind, name, version, licences = map(_printable, cells)
        return kind, name, version, licences


class _Metadata(Struct, frozen=True):
    component: Component


class Bom(Struct, frozen=True, rename="camel"):
    """What is used of a list of parts; `metadata.component` is the image."""

    bom_format: str
    metadata: _Metadata
    components: list[Component]


class _Image(Struct, frozen=True, rename="pascal"):
    """What is used of `podman image inspect`; an image without labels has null."""

    id: str
    labels: dict[str, str] | None = None


def register(subparsers: "Subparsers") -> None:
    """Add the parser of `sbom`."""
    parser = subparsers.add_parser(
        "sbom",
        help="list what an image is made of",
        description="List what an image of vdsm or supervdsm is made of (its SBOM): packages of"
        " Debian and of Python and our own code, with versions and licences.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "image",
        metavar="IMAGE",
        help="vdsm or supervdsm: the image that runs under that name; else an image by name or id",
    )
    output.add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show the list: the file itself to a program, a table to a person."""
    image, text = read(arguments.image, this_host())
    bom = parse(text, arguments.image)
    if output.wants_json(arguments):
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
    else:
        print("\n".join(lines(bom, image)))
    return HEALTHY


def read(name: str, host: Host) -> tuple[str, str]:
    """Return the id of an image and its list. Raises ToolError."""
    asked = ("podman", "container", "inspect", "--format={{.Image}}", name)
    image_id = _ask(asked, host).strip() if name in NAMES else name
    inspected = _ask(("podman", "image", "inspect", "--", image_id), host)
    (image,) = msgspec.json.decode(inspected, type=list[_Image])
    path = (image.labels or {}).get(LABEL, "")
    if not re.fullmatch(r"/[\w./+-]+", path):
        why = f"has the label {LABEL}={path!r}" if path else f"has no label {LABEL}"
        raise ToolError(f"{name} {why}", "Name an image of a release: see `podman images`.")
    image_id = image.id.removeprefix("sha256:")
    return image_id, host.run((*_READER, image_id, "--", path))


def _ask(command: Sequence[str], host: Host) -> str:
    try:
        return host.run(command)
    except ToolError as error:
        hint = "`podman ps` shows what runs, `podman images` what there is."
        raise ToolError(error.sentence, hint, status=error.status) from None


def parse(text: str, name: str) -> Bom:
    """Return the list that `text` is, of the image `name`. Raises ToolError when it is none."""
    try:
        bom = msgspec.json.decode(text, type=Bom)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ToolError(f"The list in {name} cannot be read: {error}") from error
    if bom.bom_format != "CycloneDX":
        raise ToolError(f"The list in {name} is {bom.bom_format!r}, and not CycloneDX")
    return bom


def lines(bom: Bom, image_id: str) -> list[str]:
    """Return the list as lines for a person."""
    _, name, version, _ = bom.metadata.component.row()
    head = ("KIND", "COMPONENT", "VERSION", "LICENCE")
    rows = [head, *(one.row() for one in bom.components)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"{name} {version}, image {image_id[:12]}: {len(bom.components)} components",
        "",
        *(_line(row, widths) for row in rows),
    ]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (f"{cell:<{width}}" for cell, width in zip(row, [*widths, 0], strict=True))
    return "  ".join(cells).rstrip()


def _shortened(licences: Sequence[str]) -> str:
    """Return the first licences, and how many more there are."""
    shown = 0
    while shown < len(licences) and len(", ".join(licences[: shown + 1])) <= _WIDEST:
        shown += 1
    shown = max(shown, min(1, len(licences)))
    more = f" and {len(licences) - shown} more" if shown < len(licences) else ""
    return ", ".join(licences[:shown])[:_WIDEST] + more


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
