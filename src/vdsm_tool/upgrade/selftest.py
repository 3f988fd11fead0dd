# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a pair of images is what runs, serves, and left networks and mounts as they were.

The parts, in this order; each is looked at until it is well or the patience is used up, and what
no time can cure ends the test at once:

    units      all are active
    images     the containers run exactly the two images; also those beside, for LLDP and DHCP
    supervdsm  says the release and the contract of the pair (Hello, Health)
    vdsm       answers through TLS and says the pair's release; its answer has the networks, which
               it asks supervdsm for: a read with privilege
    host       has all mounts and networks of before, but for what a client of vdsm had removed or
               changed meanwhile; such changes have come to their end, and their networks are as
               supervdsm is told to have them, with what DHCP gave to them
    calm       systemd restarted no service meanwhile, for CALM seconds at least

No question here can change anything, nor confirm a network change, and each has a limit in time.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

from vdsm_contract import asked
from vdsm_contract.errors import ContractError, VersionMismatch
from vdsm_contract.paths import NETWORK_JOURNAL, PKI_DIR
from vdsm_tool.errors import ToolError
from vdsm_tool.finding import Finding, Level
from vdsm_tool.host import Host
from vdsm_tool.pki.files import PkiFiles
from vdsm_tool.state import containers, supervdsm, units, vdsm
from vdsm_tool.state.containers import ContainerState
from vdsm_tool.state.units import Unit
from vdsm_tool.upgrade import settled, snapshot
from vdsm_tool.upgrade.model import Pair, Tell
from vdsm_tool.upgrade.snapshot import Snapshot

CALM: Final = 3.0
"""Seconds that both services must run without systemd restarting one of them."""
_PAUSE: Final = 0.5
"""Seconds between two looks at what is not well yet."""
_CHANGE: Final = 180.0
"""Seconds more for a change of networks that is under way: an engine may take so long to confirm
it."""
_CALL: Final = 10.0
"""Seconds that a call of vdsm may take."""


class _Incurable(Exception):
    """A problem that stays, however long one waits: the images are not what their labels say."""


def check(
    pair: Pair, before: Snapshot | None, host: Host, tell: Tell, patience: float
) -> list[str]:
    """Return what is wrong with `pair` as sentences with a way out; nothing when it is well.

    `patience` is how many seconds what is not well may take to become so; one last look may take
    some more. `before` None leaves networks and mounts out.
    """
    deadline = time.monotonic() + patience
    problems = _patiently(lambda: _active(host), deadline)
    if problems:
        return problems  # what does not run need not be asked
    tell("Both services are active")
    since = time.monotonic()
    first = _services(host)
    excused: list[str] = []
    parts: list[tuple[str, Callable[[], list[str]], Callable[[], bool]]] = [
        ("The containers run these images", lambda: _images(pair), _never),
        (f"supervdsm says release {pair.version}", lambda: _supervdsm(pair), _never),
        (
            f"vdsm says release {pair.version}, and has the networks",
            lambda: _vdsm(pair, host),
            _never,
        ),
    ]
    if before is not None and snapshot.comparable(before):
        well = "Networks and mounts are as before"
        parts.append((well, lambda: _host(before, host, excused), lambda: _changing(host)))
    elif before is not None:
        tell("Networks and mounts were noted by another release, and are not compared")
    for well, look, busy in parts:
        try:
            found = _patiently(look, deadline, busy)
        except _Incurable as problem:
            return [*problems, str(problem)]
        if not found:
            tell(well)
        problems += found
    for sentence in excused:
        tell(f"Asked for meanwhile, no damage: {sentence}")
    time.sleep(max(0.0, since + CALM - time.monotonic()))
    return [*problems, *judge_calm(first, _services(host))]


def _never() -> bool:
    return False


def _patiently(
    look: Callable[[], list[str]], deadline: float, busy: Callable[[], bool] = _never
) -> list[str]:
    """Look until all is well or the deadline is over; while `busy` for some more time."""
    while True:
        problems = look()
        now = time.monotonic() + _PAUSE
        if not problems or (now >= deadline and (now >= deadline + _CHANGE or not busy())):
            return problems
        time.sleep(_PAUSE)


def _changing(host: Host) -> bool:
    """Return whether a change of networks is under way: all of it comes, or none of it stays."""
    return host.path(NETWORK_JOURNAL).exists()


def _images(pair: Pair) -> list[str]:
    try:
        return list(judge_images(pair, containers.read_containers(beside=True)))
    except ToolError as error:
        return [_sentence(error.sentence, error.hint)]


def judge_images(pair: Pair, found: list[ContainerState]) -> Iterator[str]:
    """Give what is wrong with the containers."""
    states = {state.name: state for state in found}
    for name in containers.NAMES:
        if name not in states:
            yield _sentence(f"There is no container {name}", f"`systemctl status {name}.service`")
    for state in found:
        wanted = pair.vdsm if state.name == "vdsm" else pair.supervdsm
        if state.image_id != wanted:
            yield _sentence(
                f"The container {state.name} runs the image {state.image_id[:12]} and not "
                f"{wanted[:12]}",
                f"`readlink /etc/vdsm/pins/current` and `podman inspect {state.name}`",
            )
        elif state.name in containers.NAMES and state.status != "running":
            yield _sentence(
                f"The container {state.name} is {state.status}",
                f"`journalctl --boot --unit={state.name}.service --lines=50`",
            )


def _active(host: Host) -> list[str]:
    try:
        findings = [units.judge(unit) for unit in units.read_units(host.run)]
    except ToolError as error:
        return [_sentence(error.sentence, error.hint)]
    return [_of(finding) for finding in findings if _broken(finding)]


def _services(host: Host) -> dict[str, Unit]:
    """Return both services by name; nothing when systemd cannot be asked."""
    try:
        return {unit.name: unit for unit in units.read_units(host.run, units.SERVICES)}
    except ToolError:
        return {}


def judge_calm(first: dict[str, Unit], last: dict[str, Unit]) -> Iterator[str]:
    """Give the services that ended between two looks. `first` are all active."""
    for name in units.SERVICES:
        if name not in first or name not in last:
            yield "systemd did not say whether a service was restarted during the test"
            return
        if not last[name].running or last[name].restarts > first[name].restarts:
            yield _sentence(
                f"{name} ended during the test", f"`journalctl --boot --unit={name} --lines=50`"
            )


def _supervdsm(pair: Pair) -> list[str]:
    try:
        report = supervdsm.read(contract=pair.contract)
    except VersionMismatch as error:
        said = f"supervdsm speaks contract {error.server}"
        raise _mislabeled(said, f"contract {pair.contract}") from error
    except ContractError as error:
        hint = "`journalctl --boot --unit=supervdsm.service --lines=50`"
        return [_sentence(f"supervdsm does not answer: {error}", hint)]
    if report.release != pair.version:
        raise _mislabeled(f"supervdsm says release {report.release}", f"release {pair.version}")
    return []


def _vdsm(pair: Pair, host: Host) -> list[str]:
    files = PkiFiles(PKI_DIR)
    try:
        tls = vdsm.uses_tls(host)
        answer, finding = vdsm.ask(files=files, tls=tls)
        if answer is None:
            return [_of(finding)]
        caps = vdsm.call("Host.getCapabilities", {}, files=files, tls=tls, timeout=_CALL)
    except ToolError as error:
        return [_sentence(error.sentence, error.hint)]
    except (OSError, ValueError) as error:
        return [_of(vdsm.judge(error, files=files))]
    release = caps.get("software_version") if isinstance(caps, dict) else None
    if release != pair.version:
        raise _mislabeled(f"vdsm says release {release}", f"release {pair.version}")
    if not isinstance(caps, dict) or not isinstance(caps.get("nics"), dict):
        hint = "`journalctl --boot --unit=supervdsm.service --lines=50`"
        return [_sentence("vdsm's capabilities have no NICs, which supervdsm reads", hint)]
    return []


def _mislabeled(said: str, label: str) -> _Incurable:
    way_out = "It was not built as it is labeled; take another build of this release"
    return _Incurable(_sentence(f"{said}, and the label of its image {label}", way_out))


def _host(before: Snapshot, host: Host, excused: list[str]) -> list[str]:
    """Return what is lost; `excused` gets what is missing because somebody asked for it."""
    try:
        after = snapshot.take(host)
        # Behind it: what a call took away was noted before it did.
        wanted = asked.read(host.path(asked.PATH))
        found = snapshot.missing(before, after, wanted)
        undone = settled.undone(wanted.devices, before, after, host) if found.networks else []
    except ToolError as error:
        return [_sentence(error.sentence, error.hint)]
    except OSError as error:
        return [_sentence(f"What was asked for cannot be read: {error}", "`vdsm-tool status`")]
    if found.networks and _changing(host):
        # Put back or not, nobody knows yet how these networks shall be.
        undone.append("A change of networks has not come to its end")
    excused[:] = [*found.mounts, *found.networks]
    lost = [*found.lost, *undone]
    if lost:
        hint = "`vdsm-tool net restore --force` and the engine bring back what is stored"
        lost[-1] = _sentence(lost[-1], hint)  # once for all of them
    return lost


def _broken(finding: Finding) -> bool:
    return finding.level in (Level.FAIL, Level.UNKNOWN)


def _of(finding: Finding) -> str:
    return _sentence(f"{finding.name}: {finding.detail}", finding.way_out)


def _sentence(what: str, way_out: str) -> str:
    """Return a problem in one line, the way out after it."""
    return f"{what}; {way_out.rstrip('.')}" if way_out else what
