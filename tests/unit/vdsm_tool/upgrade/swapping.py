# SPDX-License-Identifier: GPL-2.0-or-later
"""A host that has systemd's, Quadlet's and podman's part in a swap, and two pairs of images."""

import fnmatch
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.state.containers import ContainerState
from vdsm_tool.upgrade import journal, pins
from vdsm_tool.upgrade.model import Kind, Pair, Pending, Phase, Step
from vdsm_tool.upgrade.services import UPGRADE
from vdsm_tool.upgrade.snapshot import Snapshot

VDSM, SUPERVDSM, LLDPD = "vdsm.service", "supervdsm.service", "vdsm-lldpd.service"
ORDER: Final = "run/systemd/system/vdsm.service.d/50-upgrade.conf"


def pair(version: str, digit: str) -> Pair:
    return Pair(
        vdsm=digit * 64,
        supervdsm=(digit + "0") * 32,
        version=version,
        contract="2",
        revision="abc",
        architecture="amd64",
    )


OLD: Final = pair("1.0", "a")
NEW: Final = pair("1.1", "b")
NEWER: Final = pair("1.2", "c")


class Killed(BaseException):
    """What a SIGKILL is to the process: nothing of it runs any more."""


@dataclass
class Unit:
    """A service; `image` is what it runs, `loaded` what it would start."""

    loaded: str = ""
    image: str = ""
    active: str = "inactive"
    sub: str = "dead"
    invocation: int = 0
    restarts: int = 0


@dataclass
class FakeHost:
    root: Path
    units: dict[str, Unit] = field(
        default_factory=lambda: {name: Unit() for name in (VDSM, SUPERVDSM, LLDPD, UPGRADE)}
    )
    images: set[str] = field(default_factory=set)
    crashing: set[str] = field(default_factory=set)
    """Images that end before READY."""
    hanging: set[str] = field(default_factory=set)
    """Images that never say READY."""
    stopping: bool = False
    before: Snapshot | None = None
    told: list[str] = field(default_factory=list)
    tested: list[Pair] = field(default_factory=list)
    tasks: list[list[str]] = field(default_factory=list)
    """What runs in vdsm, each time that somebody looks; nothing at the end."""
    problems: dict[str, list[str]] = field(default_factory=dict)
    """What the test says of a pair, by its version."""

    @property
    def host(self) -> Host:
        return Host(self.root, self.root / "proc", self.run)

    def tell(self, line: str) -> None:
        self.told.append(line)

    def run(self, command: Sequence[str]) -> str:
        match list(command):
            case ["systemctl", "show", _, *names]:
                return "\n\n".join(self._show(name) for name in self._known(names))
            case ["systemctl", "daemon-reload"]:
                self.load()
            case ["systemctl", "restart", "--no-block", *names]:
                for name in names:
                    self.start(name)
            case ["systemctl", "try-restart", "--no-block", *names]:
                for name in self._known(names):
                    if self.units[name].active in ("active", "activating"):
                        self.start(name)
            case ["systemctl", "start", "--no-block", name]:
                self.units[name].active = "activating"
            case ["podman", "exec", _, "vdsm-sanlock", *_] | ["podman", "kill", _, "vdsm-wdmd"]:
                raise ToolError("this host has leases")
            case ["systemctl", "is-system-running"]:
                if self.stopping:
                    raise ToolError("systemctl is-system-running failed: stopping")
                return "running\n"
            case _:
                raise AssertionError(command)
        return ""

    def read_tasks(self, _host: Host) -> list[str]:
        return self.tasks.pop(0) if self.tasks else []

    def _known(self, names: Sequence[str]) -> list[str]:
        return [unit for name in names for unit in self.units if fnmatch.fnmatch(unit, name)]

    def _show(self, name: str) -> str:
        unit = self.units[name]
        return (
            f"Id={name}\nLoadState=loaded\nActiveState={unit.active}\nSubState={unit.sub}\n"
            f"Result=exit-code\nNRestarts={unit.restarts}\nInvocationID={unit.invocation}\n"
            f"ExecStart={{ path=/usr/bin/podman ; argv[]=podman run {unit.loaded} ; }}"
        )

    def load(self) -> None:
        """Quadlet and a daemon-reload."""
        current = self.root / "etc/vdsm/pins/current"
        for name, file in ((VDSM, "vdsm"), (SUPERVDSM, "supervdsm"), (LLDPD, "supervdsm")):
            drop_in = current / f"{file}.conf"
            self.units[name].loaded = f"localhost/{file}:latest"
            if drop_in.exists():
                self.units[name].loaded = drop_in.read_text().split("Image=")[1].strip()

    def start(self, name: str) -> None:
        unit = self.units[name]
        unit.image, unit.invocation = unit.loaded, unit.invocation + 1
        unit.active, unit.sub = "active", "running"
        if unit.image in self.hanging:
            unit.active, unit.sub = "activating", "start"
        if unit.image in self.crashing:
            unit.active, unit.sub = "activating", "auto-restart"

    def boot(self) -> None:
        """Everything of /run is gone, the generators run, nothing of the pair is started yet."""
        shutil.rmtree(self.root / "run", ignore_errors=True)
        for unit in self.units.values():
            unit.active, unit.sub, unit.image = "inactive", "dead", ""
        self.load()

    def start_all(self) -> None:
        for name in (SUPERVDSM, VDSM, LLDPD):
            self.start(name)

    def containers(self) -> list[ContainerState]:
        return [
            ContainerState(name.removesuffix(".service"), "running", "", unit.image, "", "", "")
            for name, unit in self.units.items()
            if name != UPGRADE and unit.image and unit.active == "active"
        ]

    def serve(self, wanted: Pair) -> None:
        """Have `wanted` pinned and running."""
        pins.switch(self.root, wanted)
        self.load()
        self.start_all()

    def prepare(self) -> Pending:
        """Leave what the first stage leaves to the second."""
        pending = Pending(
            id="0123456789abcdef",
            kind=Kind.UPGRADE,
            source=["new.tar"],
            started=1000.0,
            timeout=30.0,
            phase=Phase.PREPARED,
            old=OLD,
            new=NEW,
        )
        journal.begin(self.root, pending, self.tell)
        return pending

    def whole(self) -> Pair | None:
        """The pair that is pinned, in force and running, if that is one."""
        for one in (OLD, NEW, NEWER):
            wanted = {VDSM: one.vdsm, SUPERVDSM: one.supervdsm, LLDPD: one.supervdsm}
            if pins.current(self.root) == one and all(
                self.units[name].image == self.units[name].loaded == image
                and self.units[name].active == "active"
                for name, image in wanted.items()
            ):
                return one
        return None


RUN_STEPS: Final = list(Step)[list(Step).index(Step.SEEN) :]
"""What vdsm-upgrade.service does."""
BEFORE_KEPT: Final = RUN_STEPS[: RUN_STEPS.index(Step.KEPT)]
