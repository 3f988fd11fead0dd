# SPDX-License-Identifier: GPL-2.0-or-later
"""The settings of this host: what vdsm.conf may say, and what it says.

Sections, keys and defaults are oVirt's. A field of `Config` is a setting: its name is the key, its
metadata the rest. Which files are read: `vdsm_contract.config_files`. A key that oVirt has and this
vdsm has not (`vdsm_contract.ovirt_settings`) is taken note of and has no effect, so that a host may
be moved with its file; any other key is an error, for a typing error must not silently mean the
default.
"""

import configparser
import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from vdsm_contract import ovirt_settings
from vdsm_contract.config_files import ConfigError, Entry, read, shown, sources
from vdsm_contract.paths import CONFIG_DIR, MANAGEMENT_PORT, RUN_DIR

__all__ = ["Config", "ConfigError", "Loaded", "Setting", "evaluate", "load", "settings"]

_T = TypeVar("_T")
_SETTING: Final = "setting"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `parse` raises ValueError with what it expected."""

    section: str
    key: str
    default: str
    """As it would be written."""
    meaning: str
    parse: Callable[[str], Any]

    @property
    def name(self) -> str:
        """How people write of it."""
        return f"[{self.section}] {self.key}"


def _setting(section: str, written: str, parse: Callable[[str], _T], meaning: str) -> _T:
    metadata = {_SETTING: (section, written, parse, meaning)}
    default: _T = field(default=parse(written), metadata=metadata)
    return default


def _boolean(text: str) -> bool:
    states = configparser.ConfigParser.BOOLEAN_STATES
    if text.lower() not in states:
        raise ValueError("expected true or false")
    return states[text.lower()]


def _number(low: int, high: int, unit: str = "") -> Callable[[str], int]:
    expected = f"expected a number{' of ' if unit else ''}{unit} from {low} to {high}"
    if unit:
        expected += ", without a unit"

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise ValueError(expected)
        return int(text)

    return parse


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"expected {', '.join(words[:-1])} or {words[-1]}")
        return text

    return parse


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("expected an IP address") from None


def _list(pattern: str, expected: str) -> Callable[[str], tuple[str, ...]]:
    item = re.compile(pattern, re.ASCII)

    def parse(text: str) -> tuple[str, ...]:
        words = tuple(word.strip() for word in text.split(",")) if text else ()
        if not all(map(item.fullmatch, words)):
            raise ValueError(f"expected {expected}, separated by commas")
        return words

    return parse


# A name of a device has at most 15 characters; a pattern has what fnmatch(3) knows, too.
_patterns = _list(r"[^\s/,]{1,60}", "patterns of names of NICs")
_options = _list(r"[a-z][a-z0-9_]{0,30}(=[A-Za-z0-9_.:/-]{1,60})?", "mount options of nfs(5)")


@dataclass(frozen=True, slots=True)
class Config:
    """The settings, with their defaults."""

    ssl: bool = _setting(
        "vars", "true", _boolean, "false: plain TCP, and only for peers on loopback"
    )
    hidden_nics: tuple[str, ...] = _setting(
        "vars", "w*,usb*", _patterns, "NICs that are not shown to the engine"
    )
    fake_nics: tuple[str, ...] = _setting(
        "vars", "dummy_*,veth_*", _patterns, "dummies and veths that are shown as NICs"
    )
    host_sample_stats_interval: int = _setting(
        "vars", "15", _number(1, 3600, "seconds"), "seconds between two looks at the CPUs' load"
    )
    report_host_threads_as_cores: bool = _setting(
        "vars", "false", _boolean, "true: each thread of a CPU is told to the engine as a core"
    )
    host_mem_reserve: int = _setting(
        "vars", "256", _number(0, 1_000_000, "MiB"), "MiB of memory that no VM is to have"
    )
    extra_mem_reserve: int = _setting(
        "vars", "65", _number(0, 1_000_000, "MiB"), "MiB for other programs, on top of that"
    )
    guest_ram_overhead: int = _setting(
        "vars", "65", _number(0, 1_000_000, "MiB"), "MiB that each VM needs beside its own memory"
    )
    management_ip: str = _setting(
        "addresses", "::", _ip, "where to listen when systemd passes no socket"
    )
    management_port: int = _setting(
        "addresses",
        str(MANAGEMENT_PORT),
        _number(1, 65535),
        "likewise; under systemd it is vdsm.socket that counts",
    )
    worker_threads: int = _setting("rpc", "8", _number(1, 256), "calls that run at a time")
    tasks_per_worker: int = _setting(
        "rpc", "10", _number(1, 1000), "calls that wait for each worker; beyond that, code 1100"
    )
    nfs_mount_options: tuple[str, ...] = _setting(
        "irs", "soft,nosharecache", _options, "of each NFS mount, before the engine's own"
    )
    io_timeout: int = _setting(
        "sanlock", "10", _number(1, 60, "seconds"), "of I/O on leases; the same on all hosts"
    )
    watchdog: str = _setting(
        "sanlock",
        "auto",
        _one_of("auto", "yes", "no"),
        "whether a watchdog resets a host that lost its leases; auto: if it has /dev/watchdog",
    )


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the files say.

    `files` are those that were read, in their order; `origins` has the line that each setting comes
    from, without those that have their default; `without_effect` are lines with keys that only
    oVirt knows.
    """

    config: Config
    files: tuple[Path, ...]
    origins: dict[str, Entry]
    without_effect: tuple[Entry, ...]


@cache
def settings() -> tuple[Setting, ...]:
    """Return all settings, in the order of `Config`."""
    found = []
    for one in fields(Config):
        section, written, parse, meaning = one.metadata[_SETTING]
        found.append(Setting(section, one.name, written, meaning, parse))
    return tuple(found)


def load(directory: Path = CONFIG_DIR, runtime: Path = RUN_DIR, root: Path = Path("/")) -> Loaded:
    """Read the files of both directories as they are below `root`. None of them has to exist.

    Raises ConfigError, which names file and line of everything that is wrong.
    """
    files = sources(directory, runtime, root)
    problems: list[str] = []
    entries: list[Entry] = []
    for file in files:
        try:
            entries += read(file, root)
        except ConfigError as error:
            problems += error.problems
    try:
        loaded = evaluate(entries, files)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(*problems)
    return loaded


def evaluate(entries: Sequence[Entry], files: Sequence[Path] = ()) -> Loaded:
    """Return what `entries` mean; the last one for a setting holds. Raises ConfigError."""
    known = {(setting.section, setting.key): setting for setting in settings()}
    values: dict[str, Any] = {}
    origins: dict[str, Entry] = {}
    without_effect = []
    problems = []
    for entry in entries:
        setting = known.get((entry.section, entry.key))
        if setting is None:
            if ovirt_settings.knows(entry.section, entry.key):
                without_effect.append(entry)
            else:
                problems.append(f"{entry.place}: there is no setting {entry.name}")
            continue
        try:
            values[setting.key] = setting.parse(entry.value)
        except ValueError as error:
            problems.append(f"{entry.place}: {setting.name} = {shown(entry.value)}: {error}")
        origins[setting.key] = entry
    if problems:
        raise ConfigError(*problems)
    return Loaded(Config(**values), tuple(files), origins, tuple(without_effect))
