# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of vdsm.conf: which there are, in which order, and what stands in their lines.

    /etc/vdsm/vdsm.conf
    /run/vdsm/vdsm.conf.d/*.conf, /etc/vdsm/vdsm.conf.d/*.conf

As in oVirt, the drop-ins of all directories are one list, sorted by their names; the later line
holds, and of two files of one name the one below /etc. oVirt's third directory, which is
/usr/lib/vdsm/vdsm.conf.d, is not read: vdsm's container does not see the host's /usr.

The format is configparser's: sections, `key = value` or `key: value`, comments in lines of their
own after # or ;, and indented lines that go on with a value. Keys have no case. A key or section
that is there twice in one file is an error.
"""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

_LARGEST: Final = 1024 * 1024
"""Bytes that a file may have."""
_SHOWN: Final = 80
"""Characters of a line that an error shows at most."""
_BOM: Final = b"\xef\xbb\xbf"


class ConfigError(Exception):
    """Configuration that cannot be used. Each of the `problems` names a file, and a line of it."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value, and where they stand; lines count from 1."""

    file: Path
    line: int
    section: str
    key: str
    value: str

    @property
    def place(self) -> str:
        """How an error begins that is about this entry."""
        return f"{self.file}, line {self.line}"

    @property
    def name(self) -> str:
        """How people write of it."""
        return f"[{shown(self.section)}] {shown(self.key)}"


def shown(text: str) -> str:
    """Return `text` fit for one line of a message."""
    # Cut once more where it is quoted: an escape has up to ten characters.
    short = _cut(text)
    return short if short.isprintable() and short else _cut(repr(short))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def sources(directory: Path, runtime: Path, root: Path = Path("/")) -> list[Path]:
    """Return the files to read, in their order, as the host names them.

    Raises ConfigError when a directory cannot be read.
    """
    main = directory / "vdsm.conf"
    drop_ins = [
        file for place in (runtime, directory) for file in _drop_ins(place / "vdsm.conf.d", root)
    ]
    here = _below(root, main)
    first = [main] if here.exists() or here.is_symlink() else []
    return first + sorted(drop_ins, key=lambda file: file.name)


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/") if path.is_absolute() else path


def _drop_ins(directory: Path, root: Path) -> Iterator[Path]:
    try:
        names = [path.name for path in _below(root, directory).iterdir()]
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"{directory} cannot be read: {error.strerror}") from None
    for name in names:
        if name.endswith(".conf") and not name.startswith("."):
            yield directory / name


def read(file: Path, root: Path = Path("/")) -> list[Entry]:
    """Return the entries of a file, in their order. Raises ConfigError."""
    try:
        data = _bytes(_below(root, file))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None
    if data.startswith(_BOM):
        raise ConfigError(f"{file}, line 1: begins with a byte order mark; save it without one")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}, line {line}: is not UTF-8") from None
    return parse(text, file)


def _bytes(path: Path) -> bytes:
    # A FIFO would never end, and a device is not meant.
    kind = stat.S_IFMT(path.stat().st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(0, "it is a directory")
    if kind != stat.S_IFREG:
        raise OSError(0, "it is no regular file")
    with path.open("rb") as stream:
        data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise OSError(0, f"it is larger than {_LARGEST} bytes")
    return data


def parse(text: str, file: Path) -> list[Entry]:
    """Return the entries of a file's text, in their order. Raises ConfigError with all problems."""
    problems: list[str] = []
    entries: dict[tuple[str, str], Entry] = {}
    headers: dict[str, int] = {}
    section: str | None = None
    last: tuple[str, str] | None = None
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        place = f"{file}, line {number}"
        if not line or line[0] in "#;":
            continue
        if raw[0].isspace() and last is not None:
            entry = entries[last]
            entries[last] = replace(entry, value=f"{entry.value}\n{line}".strip())
            continue
        last = None
        if line.startswith("["):
            header = re.fullmatch(r"\[([^\[\]]+)\]", line)
            # What follows belongs to no section that is known, and is not told again.
            section = header[1] if header else ""
            if not header:
                problems.append(f"{place}: expected [SECTION], not {shown(line)}")
            elif section in headers:
                problems.append(
                    f"{place}: section [{shown(section)}] is there already, in line"
                    f" {headers[section]}"
                )
            headers.setdefault(section, number)
            continue
        key, delimiter, value = _split(line)
        if not delimiter or not key:
            problems.append(f"{place}: expected KEY = VALUE, not {shown(line)}")
        elif section is None:
            problems.append(f"{place}: {shown(key)} stands before the first [SECTION]")
        elif (section, key) in entries:
            first = entries[section, key].line
            problems.append(f"{place}: {shown(key)} is there already, in line {first}")
        elif section:
            last = (section, key)
            entries[last] = Entry(file, number, section, key, value)
    if problems:
        raise ConfigError(*problems)
    return list(entries.values())


def _split(line: str) -> tuple[str, str, str]:
    """Split at the first = or :, whichever comes first."""
    found = re.search(r"[=:]", line)
    if found is None:
        return line, "", ""
    return line[: found.start()].strip().lower(), found[0], line[found.end() :].strip()
