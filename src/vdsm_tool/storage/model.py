# SPDX-License-Identifier: GPL-2.0-or-later
"""The shapes that `vdsm-tool storage` shows, and how they are read from vdsm's answers.

An answer is read leniently: an engine's numbers may be text. Sizes are in bytes.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from vdsm_tool.finding import Level


class Connection(Struct, frozen=True, rename="camel"):
    """What is mounted below /rhev/data-center/mnt."""

    source: str
    target: str
    fstype: str
    read_only: bool
    domains: list[str]
    """The domains on it, by the path that they were made with."""


class Domain(Struct, frozen=True, rename="camel"):
    """A storage domain: what its metadata says and what its monitor saw last.

    `delay` is in seconds, `last_check` seconds ago; both and `valid` are None when nobody watches
    it. `problem` says why the rest is not known.
    """

    uuid: str
    name: str = ""
    kind: str = ""
    domain_class: str = ""
    role: str = ""
    version: int = 0
    pools: list[str] = []
    remote_path: str = ""
    total: int = 0
    free: int = 0
    valid: bool | None = None
    acquired: bool | None = None
    delay: float | None = None
    last_check: float | None = None
    problem: str = ""

    @property
    def level(self) -> Level:
        """How good it is."""
        if self.problem or self.valid is False:
            return Level.FAIL
        return Level.UNKNOWN if self.valid is None else Level.OK


class Volume(Struct, frozen=True, rename="camel"):
    """A volume: `capacity` is what a guest sees, `allocated` what it takes on the storage."""

    uuid: str
    image: str
    parent: str
    format: str
    allocation: str
    volume_type: str
    legality: str
    capacity: int
    allocated: int
    description: str
    status: str

    @property
    def level(self) -> Level:
        """How good it is."""
        return Level.OK if (self.legality, self.status) == ("LEGAL", "OK") else Level.FAIL


class Task(Struct, frozen=True, rename="camel"):
    """A storage task; `message` is what it ended with."""

    id: str
    verb: str
    state: str
    result: str
    code: int
    message: str


def domain(
    uuid: str, info: Mapping[str, object], stats: Mapping[str, object], vitals: object
) -> Domain:
    """Read StorageDomainInfo, StorageDomainStats and StorageDomainVitals (None: not watched)."""
    seen = vitals if isinstance(vitals, Mapping) else {}
    pools = info.get("pool", [])
    return Domain(
        uuid=uuid,
        name=_text(info, "name"),
        kind=_text(info, "type"),
        domain_class=_text(info, "class"),
        role=_text(info, "role"),
        version=_number(info, "version"),
        pools=[str(each) for each in pools] if isinstance(pools, Sequence) else [],
        remote_path=_text(info, "remotePath"),
        total=_number(stats, "disktotal"),
        free=_number(stats, "diskfree"),
        valid=_flag(seen, "valid"),
        acquired=_flag(seen, "acquired"),
        delay=_seconds(seen, "delay"),
        last_check=_seconds(seen, "lastCheck"),
    )


def volume(uuid: str, info: Mapping[str, object]) -> Volume:
    """Read one volume of StorageDomainDump."""
    return Volume(
        uuid=uuid,
        image=_text(info, "image"),
        parent=_text(info, "parent"),
        format=_text(info, "format"),
        allocation=_text(info, "type"),
        volume_type=_text(info, "voltype"),
        legality=_text(info, "legality"),
        capacity=_number(info, "capacity"),
        allocated=_number(info, "truesize"),
        description=_text(info, "description"),
        status=_text(info, "status"),
    )


def task(uuid: str, info: object, status: object) -> Task:
    """Read TaskInfo and TaskStatus."""
    what = info if isinstance(info, Mapping) else {}
    how = status if isinstance(status, Mapping) else {}
    return Task(
        id=uuid,
        verb=_text(what, "verb"),
        state=_text(how, "taskState"),
        result=_text(how, "taskResult"),
        code=_number(how, "code"),
        message=_text(how, "message"),
    )


def _text(of: Mapping[str, object], key: str) -> str:
    value = of.get(key, "")
    return value if isinstance(value, str) else str(value)


def _number(of: Mapping[str, object], key: str) -> int:
    try:
        return int(str(of.get(key, 0)))
    except ValueError:
        return 0


def _seconds(of: Mapping[str, object], key: str) -> float | None:
    try:
        return float(str(of[key]))
    except (KeyError, ValueError):
        return None


def _flag(of: Mapping[str, object], key: str) -> bool | None:
    value = of.get(key)
    return value if isinstance(value, bool) else None
