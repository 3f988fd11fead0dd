# SPDX-License-Identifier: GPL-2.0-or-later
"""The services of the pair during a swap: which images they shall run, do run, and the restart.

A restart is asked for and then watched, because `systemctl` without --no-block would wait as long
as a service that hangs. The listening sockets are units of their own and are never touched.
"""

import contextlib
import re
import time
from typing import Final

from msgspec import Struct

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.state import containers
from vdsm_tool.state.units import SERVICES
from vdsm_tool.upgrade.model import Pair, Tell

UPGRADE: Final = "vdsm-upgrade.service"
_BESIDE: Final = ("vdsm-lldpd.service", "vdsm-dhcp@*.service")
"""They run supervdsm's image: what is running of them is restarted with it."""

_ASKED: Final = (
    # Ends only when the host has no lease, and systemd starts it anew.
    (
        "podman",
        "exec",
        "--user=sanlock",
        "vdsm-sanlock",
        "sanlock",
        "client",
        "shutdown",
        "-w",
        "1",
    ),
    # Goes on while sanlock needs it.
    ("podman", "kill", "--signal=TERM", "vdsm-wdmd"),
)
"""How what holds the host's leases is asked to change to a new image. It may refuse: then it goes
on with the old one, until the host is in maintenance or reboots."""

_ORDER: Final = "/run/systemd/system/vdsm.service.d/50-upgrade.conf"
_ORDER_TEXT: Final = """\
# Written by vdsm-tool during an upgrade: no vdsm of one release meets a supervdsm of another.
[Unit]
After=supervdsm.service
"""

_PAUSE: Final = 0.2
"""Seconds between two looks at what changes."""
_IMAGE: Final = re.compile(r"\b[0-9a-f]{64}\b")
_PROPERTIES: Final = (
    "Id",
    "ActiveState",
    "SubState",
    "Result",
    "NRestarts",
    "InvocationID",
    "Job",
    "ExecStart",
)


class State(Struct, frozen=True):
    """A service. `image` is the id in its command line, empty when that has none."""

    name: str
    active: str
    sub: str
    result: str
    restarts: int
    invocation: str
    """Another one for each start."""
    job: bool
    """Whether systemd has something to do with it."""
    image: str

    @property
    def serves(self) -> bool:
        """Whether it said READY and nothing is about to change that."""
        return self.active == "active" and not self.job

    @property
    def moves(self) -> bool:
        """Whether it is on its way to another state."""
        return self.job or self.active in ("activating", "deactivating", "reloading")


def states(host: Host, names: tuple[str, ...] = SERVICES) -> dict[str, State]:
    """Return the units `names` (patterns mean those that are loaded) by name."""
    text = host.run(["systemctl", "show", f"--property={','.join(_PROPERTIES)}", *names])
    found = {}
    for block in text.split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        if "Id" in values:
            found[values["Id"]] = _state(values)
    return found


def _state(values: dict[str, str]) -> State:
    image = _IMAGE.search(values.get("ExecStart", ""))
    return State(
        name=values["Id"],
        active=values.get("ActiveState", ""),
        sub=values.get("SubState", ""),
        result=values.get("Result", ""),
        restarts=int(values.get("NRestarts") or 0),
        invocation=values.get("InvocationID", ""),
        job=values.get("Job", "") not in ("", "0"),
        image=image[0] if image else "",
    )


def in_force(host: Host, pair: Pair) -> bool:
    """Return whether the next start of both services is a start of `pair`."""
    found = states(host)
    return all(found[name].image == image for name, image in _wanted(pair).items())


def _wanted(pair: Pair) -> dict[str, str]:
    return {"supervdsm.service": pair.supervdsm, "vdsm.service": pair.vdsm}


def running(host: Host) -> dict[str, str]:
    """Return the image ids of the containers of those services that serve, by service."""
    serving = [name for name, state in states(host).items() if state.serves]
    found = containers.read_containers()
    ids = {f"{one.name}.service": one.image_id for one in found if one.status == "running"}
    return {name: ids[name] for name in serving if name in ids}


def runs(host: Host, pair: Pair) -> bool:
    """Return whether both services serve, with the images of `pair`."""
    return running(host) == _wanted(pair)


def reload(host: Host) -> None:
    """Let Quadlet make units of the pins that are there, and systemd read them."""
    host.run(["systemctl", "daemon-reload"])


def order(host: Host) -> None:
    """Make vdsm stop before supervdsm and start after it, from the next reload on."""
    path = host.path(_ORDER)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_ORDER_TEXT)


def forget_order(host: Host) -> None:
    """Take `order` back; the services go on meanwhile. Does nothing where there is no order."""
    path = host.path(_ORDER)
    if path.exists():
        path.unlink()
        reload(host)


def states_of_all(host: Host) -> dict[str, State]:
    """Return the services of the pair and those beside them, by name."""
    return states(host, (*SERVICES, *_BESIDE))


def restart(host: Host) -> None:
    """Tell systemd to restart the pair. Does not wait."""
    # In this order: once vdsm is on its way down, supervdsm waits for it, then vdsm for supervdsm.
    host.run(["systemctl", "restart", "--no-block", "vdsm.service", "supervdsm.service"])


def restart_beside(host: Host) -> None:
    """Tell systemd to restart what runs beside the pair. Does not wait; addresses stay."""
    host.run(["systemctl", "try-restart", "--no-block", *_BESIDE])
    for words in _ASKED:
        with contextlib.suppress(ToolError):  # it refuses, or does not run
            host.run(list(words))


def await_start(
    host: Host, pair: Pair, since: dict[str, State], deadline: float, tell: Tell, *, patient: bool
) -> None:
    """Wait until both services said READY with the images of `pair`, and those beside that ran.

    `since` is how all were before the restart. Raises ToolError at the deadline (time.monotonic());
    unless `patient` also as soon as one of them ended, for its next start is no better.
    """
    beside = [name for name, state in since.items() if name not in SERVICES and state.serves]
    said: set[str] = set()
    while True:
        found = states_of_all(host)
        for name in SERVICES:
            if found[name].serves and name not in said:
                said.add(name)
                tell(f"{name} is ready")
        watched = [found[name] for name in (*SERVICES, *beside) if name in found]
        if not patient:
            for state in watched:
                _check_start(state, since.get(state.name))
        waiting = [state.name for state in watched if not state.serves]
        if not waiting:
            break
        if time.monotonic() >= deadline:
            raise ToolError(f"{waiting[0]} did not say READY in time", _journal(waiting[0]))
        time.sleep(_PAUSE)
    if not runs(host, pair):
        ids = ", ".join(f"{name} {image[:12]}" for name, image in running(host).items())
        raise ToolError(
            f"Not the pinned images run, but {ids or 'none'}",
            "A drop-in of another name may set Image=: `systemctl cat vdsm supervdsm`.",
        )


def _check_start(state: State, before: State | None) -> None:
    """Raise ToolError when the service was started anew and ended again."""
    if before is not None and state.invocation == before.invocation:
        return
    if state.restarts or state.sub.startswith("auto-restart") or state.active == "failed":
        result = f" ({state.result})" if state.result not in ("", "success") else ""
        raise ToolError(
            f"{state.name} did not start: it ended before READY{result}",
            _journal(state.name),
        )


def _journal(name: str) -> str:
    return f"`journalctl --boot --unit={name} --lines=50`."


def start_upgrade(host: Host) -> None:
    """Start vdsm-upgrade.service; does not wait for it."""
    host.run(["systemctl", "start", "--no-block", UPGRADE])


def upgrading(host: Host) -> bool:
    """Return whether vdsm-upgrade.service runs or is about to."""
    return states(host, (UPGRADE,))[UPGRADE].moves


def stopping(host: Host) -> bool:
    """Return whether this host is shutting down: services cannot be started any more."""
    try:
        return host.run(["systemctl", "is-system-running"]).strip() == "stopping"
    except ToolError as error:
        # Any state but "running" ends with a status other than 0, and is said all the same.
        return "stopping" in error.sentence
