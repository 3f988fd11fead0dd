# SPDX-License-Identifier: GPL-2.0-or-later
"""The units of the pair as systemd sees them, read with `systemctl show`.

`systemctl show` prints one block of KEY=VALUE lines for each unit, with an empty line between
blocks. Properties: org.freedesktop.systemd1(5).
"""

import time
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from vdsm_tool.errors import UNKNOWN, ToolError
from vdsm_tool.finding import Finding, fail, ok, warn
from vdsm_tool.host import Runner

SERVICES: Final = ("supervdsm.service", "vdsm.service")
SOCKETS: Final = ("supervdsm.socket", "vdsm.socket")

_PROPERTIES: Final = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "ActiveEnterTimestampMonotonic",
    "NRestarts",
    "MainPID",
    "Listen",
)


class Unit(Struct, frozen=True, rename="camel"):
    """A unit of systemd. `active_for` is in seconds, None when it is not active."""

    name: str
    load: str
    active: str
    sub: str
    result: str
    active_for: float | None
    restarts: int
    main_pid: int
    listen: list[str]

    @property
    def running(self) -> bool:
        """Whether the unit does its work now."""
        return self.active == "active"


def read_units(run: Runner, names: Sequence[str] = SERVICES + SOCKETS) -> list[Unit]:
    """Ask systemd for the units `names`. Raises ToolError when it cannot be asked."""
    try:
        text = run(["systemctl", "show", f"--property={','.join(_PROPERTIES)}", *names])
    except ToolError as error:
        raise ToolError(
            f"systemd cannot be asked: {error.sentence}",
            "vdsm-tool needs systemd as pid 1 of this host, and root; "
            "in a container also --privileged and --pid=host.",
            status=UNKNOWN,
        ) from error
    return parse_units(text, now=time.monotonic())


def parse_units(text: str, *, now: float) -> list[Unit]:
    """Return the units in the output of `systemctl show`; `now` is CLOCK_MONOTONIC in seconds."""
    return [_unit(block.splitlines(), now) for block in text.split("\n\n") if block.strip()]


def _unit(lines: Sequence[str], now: float) -> Unit:
    pairs = [line.partition("=")[::2] for line in lines if "=" in line]
    values = dict(pairs)
    entered = int(values.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
    return Unit(
        name=values["Id"],
        load=values["LoadState"],
        active=values["ActiveState"],
        sub=values["SubState"],
        result=values.get("Result", ""),
        active_for=round(now - entered, 1) if values["ActiveState"] == "active" else None,
        restarts=int(values.get("NRestarts") or 0),
        main_pid=int(values.get("MainPID") or 0),
        # The property stands once for each address, as "ADDRESS (Stream)".
        listen=[value.rsplit(" (", 1)[0] for key, value in pairs if key == "Listen"],
    )


def judge(unit: Unit) -> Finding:
    """Return whether the unit is well, and what to do when it is not."""
    state = f"{unit.active} ({unit.sub})"
    if unit.load == "not-found":
        return fail(
            unit.name,
            "systemd does not know it",
            "Install the units (`make install`), then `systemctl daemon-reload`; "
            "`/usr/libexec/podman/quadlet -dryrun` (Debian: /usr/lib/podman/quadlet) shows what "
            "Quadlet does not accept.",
        )
    if unit.load != "loaded":
        return fail(unit.name, f"it is {unit.load}", f"`systemctl cat {unit.name}` shows why.")
    if unit.active in ("activating", "reloading"):
        return fail(unit.name, state, f"It is starting; if it stays so: {_journal(unit)}")
    if not unit.running:
        why = f", result {unit.result}" if unit.result not in ("", "success") else ""
        return fail(
            unit.name, state + why, f"`systemctl start {unit.name}`; why it ended: {_journal(unit)}"
        )
    if unit.restarts:
        times = "once" if unit.restarts == 1 else f"{unit.restarts} times"
        return warn(
            unit.name, f"{state}, systemd restarted it {times}", f"What ended it: {_journal(unit)}"
        )
    return ok(unit.name, state)


def _journal(unit: Unit) -> str:
    return f"`journalctl --boot --unit={unit.name} --lines=50`."
