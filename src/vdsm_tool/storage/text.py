# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage as lines for a person."""

from collections.abc import Iterable
from typing import Final

from vdsm_tool import output
from vdsm_tool.finding import Level
from vdsm_tool.storage.collect import chains
from vdsm_tool.storage.model import Connection, Domain, Task, Volume

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def connections(found: Iterable[Connection]) -> list[str]:
    """Return a block for each mount."""
    text = []
    for each in found:
        how = f"{each.fstype}, read-only" if each.read_only else each.fstype
        text += [f"{each.source}  ({how})", f"  {each.target}"]
        text += [f"  domain {uuid}" for uuid in each.domains]
    return text or ["no storage server is connected"]


def domains(found: Iterable[Domain]) -> list[str]:
    """Return a block for each domain."""
    text = []
    for each in found:
        text.append(f"{each.uuid}  {each.name}".rstrip())
        if each.problem:
            text.append(f"  {output.coloured(each.problem, Level.FAIL)}")
            continue
        pool = f"pool {', '.join(each.pools)}" if each.pools else "in no pool"
        text += [
            f"  {each.kind} {each.domain_class}, version {each.version}, {each.role}, {pool}",
            f"  {each.remote_path}",
            f"  {size(each.free)} of {size(each.total)} free",
            f"  {output.coloured(_vitals(each), each.level)}",
        ]
    return text or ["vdsm finds no storage domain"]


def _vitals(domain: Domain) -> str:
    if domain.valid is None:
        return "not watched"
    words = ["valid" if domain.valid else "NOT VALID"]
    if domain.delay is not None:
        words.append(f"answered in {domain.delay * 1000:.1f} ms")
    if domain.last_check is not None:
        words.append(f"looked at {domain.last_check:.0f} s ago")
    words.append("host id held" if domain.acquired else "no host id")
    return ", ".join(words)


def volumes(found: list[Volume]) -> list[str]:
    """Return each image and below it its chain as a tree."""
    text = []
    for image, tree in chains(found).items():
        text.append(f"image {image or 'unknown'}")
        for depth, each in tree:
            legality = each.legality if each.status == "OK" else f"{each.legality} {each.status}"
            words = [
                f"{each.format} {each.allocation}",
                each.volume_type,
                f"{size(each.capacity)}, {size(each.allocated)} allocated",
                output.coloured(legality.strip() or "UNKNOWN", each.level),
            ]
            text.append(f"{'  ' * (depth + 1)}{each.uuid}  {'  '.join(words)}")
    return text or ["the domain has no volume"]


def tasks(found: Iterable[Task]) -> list[str]:
    """Return a line for each task."""
    text = []
    for each in found:
        ended = f"{each.result}: {each.message} ({each.code})" if each.code else each.result
        level = Level.FAIL if each.code else Level.OK
        text.append(f"{each.id}  {each.verb}  {each.state}  {output.coloured(ended, level)}")
    return text or ["there is no task"]


def size(amount: int) -> str:
    """Return a number of bytes as a person says it: 1536 is "1.5 KiB"."""
    power = min((max(amount, 1).bit_length() - 1) // 10, len(_UNITS) - 1)
    number = amount / 1024**power
    return (
        f"{number:.0f} {_UNITS[power]}" if number.is_integer() else f"{number:.1f} {_UNITS[power]}"
    )
