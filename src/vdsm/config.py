# SPDX-License-Identifier: GPL-2.0-or-later
"""vdsm's configuration: /etc/vdsm/vdsm.conf and /etc/vdsm/vdsm.conf.d/*.conf, in that order.

Sections and keys are oVirt's; only those below exist here. A key or value that is wrong ends the
start with its file and line, because a typing error must not silently mean the default.
"""

from __future__ import annotations

import configparser
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from vdsm_contract.paths import MANAGEMENT_PORT


class ConfigError(Exception):
    """A configuration file that cannot be used; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Config:
    """The settings, with their defaults."""

    ssl: bool = True  # [vars] ssl: false serves plain TCP, to loopback peers only
    management_ip: str = "::"  # [addresses]: used when systemd passes no socket
    management_port: int = MANAGEMENT_PORT
    worker_threads: int = 8  # [rpc]: calls that run at a time
    tasks_per_worker: int = 10  # and that wait for each worker


def _boolean(text: str) -> bool:
    values = configparser.ConfigParser.BOOLEAN_STATES
    if text.lower() not in values:
        raise ValueError("expected true or false")
    return values[text.lower()]


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"expected a number from {low} to {high}")
        return int(text)

    return parse


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("expected an IP address") from None


_KEYS: dict[tuple[str, str], tuple[str, Callable[[str], bool | int | str]]] = {
    ("vars", "ssl"): ("ssl", _boolean),
    ("addresses", "management_ip"): ("management_ip", _ip),
    ("addresses", "management_port"): ("management_port", _number(1, 65535)),
    ("rpc", "worker_threads"): ("worker_threads", _number(1, 256)),
    ("rpc", "tasks_per_worker"): ("tasks_per_worker", _number(1, 1000)),
}


def load(directory: Path) -> Config:
    """Reads the files of a configuration directory; none of them has to exist.

    Raises ConfigError.
    """
    config = Config()
    for file in [directory / "vdsm.conf", *sorted((directory / "vdsm.conf.d").glob("*.conf"))]:
        try:
            text = file.read_text("utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} cannot be read: {error}") from None
        config = _apply(config, file, text)
    return config


def _apply(config: Config, file: Path, text: str) -> Config:
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(text, str(file))
    except configparser.Error as error:
        raise ConfigError(" ".join(str(error).split())) from None
    for section in parser.sections():
        for key, value in parser.items(section):
            place = f"{file}, line {_line(text, section, key)}"
            if (section, key) not in _KEYS:
                raise ConfigError(f"{place}: there is no setting [{section}] {key}")
            field, parse = _KEYS[section, key]
            try:
                change = {field: parse(value)}
            except ValueError as error:
                raise ConfigError(f"{place}: [{section}] {key} = {value!r}: {error}") from None
            config = replace(config, **change)  # type: ignore[arg-type]
    return config


def _line(text: str, section: str, key: str) -> int:
    """The line of a key, which configparser does not tell."""
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\[([^]]+)\]", line):
            current = header[1]
        elif current == section and re.split(r"[=:]", line, maxsplit=1)[0].strip().lower() == key:
            return number
    return 0
