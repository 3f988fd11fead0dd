# SPDX-License-Identifier: GPL-2.0-or-later
"""The text of a file of vdsm.conf, and what its settings mean.

Oracle: ConfigError with problems of one printable line each, or entries that mean the same once
they are written again.
"""

from collections.abc import Mapping
from pathlib import Path

from fuzz.target import require
from vdsm_contract.config import evaluate, settings
from vdsm_contract.config_files import ConfigError, Entry, parse

_FILE = Path("/etc/vdsm/vdsm.conf")
_KNOWN = {setting.key for setting in settings()}


def run(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    try:
        entries = parse(text, _FILE)
    except ConfigError as error:
        _tell(error)
        return
    again = parse(written(entries), _FILE)
    require(_said(again) == _said(entries), "{} are read as {}", entries, again)
    try:
        loaded = evaluate(entries, [_FILE])
    except ConfigError as error:
        _tell(error)
        return
    require(loaded.origins.keys() <= _KNOWN, "settings from nowhere")


def written(entries: list[Entry]) -> str:
    """The entries as a file."""
    lines = []
    section = ""
    for entry in entries:
        if entry.section != section:
            section = entry.section
            lines.append(f"[{section}]")
        lines.append(f"{entry.key} = " + entry.value.replace("\n", "\n "))
    return "\n".join(lines)


def _said(entries: list[Entry]) -> list[tuple[str, str, str]]:
    return [(entry.section, entry.key, entry.value) for entry in entries]


def _tell(error: ConfigError) -> None:
    require(bool(error.problems), "an error that tells nothing")
    for problem in error.problems:
        require(len(problem) < 600, "a problem that repeats the input")
        require(problem.isprintable(), "a problem for no log: {!r}", problem)


def seeds() -> Mapping[str, bytes]:
    lines = ["# settings", "[vars]", "ssl = true", "hidden_nics: w*,usb*", "; more"]
    lines += ["host_mem_reserve=256", "[irs]", "nfs_mount_options = soft,", "  nosharecache"]
    good = "\n".join(lines).encode() + b"\n"
    return {
        "good": good,
        "all": "\n".join(f"[{s.section}]\n{s.key} = {s.default}" for s in settings()).encode(),
        "crlf": good.replace(b"\n", b"\r\n"),
        "twice": b"[vars]\nssl = true\nSSL = false\n[vars]\n",
        "nothing": b"ssl = true\n[x\n= y\nz\n",
        "ovirt": b"[rpc]\nworker_threads = 8\n[gluster]\nenable=false\n[vars]\nmax_tasks = 1\n",
    }
