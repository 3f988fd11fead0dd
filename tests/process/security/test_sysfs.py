# SPDX-License-Identifier: GPL-2.0-or-later
"""Verbs that write into sysfs, attacked over a tree that stands for it and can be written.

A test host's sysfs is read-only and has no NIC with virtual functions: there a bad call fails
anyway, whoever refuses it. Here only supervdsm's own policy stands between the call and the file.
"""

import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from security.attack import About, Attack
from security.campaign import Outcome
from security.ground import ELSEWHERE
from security.hostile import attacks
from security.verbs import PCI_ADDRESS, PREFIX, SETTINGS, good, message
from supervdsm.host import HostRoom
from supervdsm.network.room import NetworkRoom
from supervdsm.server.dispatch import Dispatcher, decode, encode_error
from supervdsm.server.peer import PROBE
from supervdsm.server.table import build
from vdsm_contract.errors import InvalidArgument
from vdsm_contract.wire import Request

PAIRS: Final = [
    (verb, about)
    for verb in SETTINGS
    for about in About
    if any(each.about is about for each in attacks(verb))
]
POOL: Final = "kernel/mm/hugepages/hugepages-2048kB"
FUNCTION: Final = f"bus/pci/devices/{PCI_ADDRESS}"
FILES: Final = {
    "class/dmi/id/sys_vendor": "Somebody",
    "kernel/mm/ksm/run": "0",
    "kernel/mm/ksm/sleep_millisecs": "20",
    "kernel/mm/ksm/pages_to_scan": "100",
    "kernel/mm/ksm/merge_across_nodes": "1",
    f"{POOL}/nr_hugepages": "0",
    f"{POOL}/nr_overcommit_hugepages": "0",
    "kernel/uevent_helper": "1",
    "power/state": "1",
    f"{FUNCTION}/sriov_totalvfs": "4",
    f"{FUNCTION}/sriov_numvfs": "0",
}
CHANGING: Final[dict[str, dict[str, Any]]] = {
    "host.KsmTune": {"tuning": {"run": 1, "sleep_millisecs": 40}},
    "host.HugepagesAlloc": {"count": 2},
    "network.ChangeNumvfs": {"numvfs": 4},
}
"""What a good call must have, for it to change a file."""


class Host:
    """supervdsm's rooms over the tree, behind its own dispatch."""

    def __init__(self, root: Path) -> None:
        self.sysfs = root / "sys"
        for name, value in FILES.items():
            file = self.sysfs / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{value}\n")
        for name in ("net/eth7", *(f"virtfn{number}" for number in range(4))):
            (self.sysfs / FUNCTION / name).mkdir(parents=True)
        others = {"host_root": root / "host", "state_dir": root / "lib", "run_dir": root / "run"}
        rooms = (
            HostRoom(sysfs=self.sysfs, host_root=root / "host"),
            NetworkRoom(sysfs=self.sysfs, **others),
        )
        self.defects: list[str] = []
        self._dispatcher = Dispatcher(build(rooms), self.defects.append)

    def call(self, verb: str, parameters: dict[str, Any]) -> str:
        """Return the answer to a call, as it goes over the wire."""
        entry = self._dispatcher.table[PREFIX + verb]
        request = msgspec.json.decode(message(verb, parameters)[:-1], type=Request)
        caller = Caller()
        try:
            self._dispatcher.serve(entry, decode(entry, request), caller, oneway=False)
        except InvalidArgument as error:
            caller.answer(encode_error(error), oneway=False)
        [answer] = caller.answers
        return answer

    def files(self) -> dict[str, str]:
        """Return the text of every file of the tree and its directories."""
        return {
            str(path.relative_to(self.sysfs)): path.read_text().strip() if path.is_file() else ""
            for path in self.sysfs.rglob("*")
        }

    def changed(self, before: dict[str, str]) -> dict[str, str]:
        """Return what is not as it was."""
        return {name: text for name, text in self.files().items() if before.get(name) != text}


class Caller:
    """A session, as dispatch sees it."""

    def __init__(self) -> None:
        self.peer = PROBE
        self.answers: list[str] = []

    def fileno(self) -> int:
        raise AssertionError("nobody waits for this call")

    def answer(self, data: bytes, *, oneway: bool) -> None:
        assert not oneway
        self.answers.append(data.rstrip(b"\0").decode())


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("verb", sorted({*SETTINGS, *ELSEWHERE}))
def test_the_good_call_passes(host: Host, verb: str) -> None:
    before = host.files()
    answer = json.loads(host.call(verb, good(verb) | CHANGING.get(verb, {})))
    assert "error" not in answer
    assert (
        host.changed(before)
        == {
            "host.GetHardwareInfo": {},
            "host.KsmTune": {"kernel/mm/ksm/run": "1", "kernel/mm/ksm/sleep_millisecs": "40"},
            "host.HugepagesAlloc": {f"{POOL}/nr_hugepages": "2"},
            "network.ChangeNumvfs": {f"{FUNCTION}/sriov_numvfs": "4"},
        }[verb]
    )
    if verb == "host.GetHardwareInfo":
        assert answer["parameters"] == {"systemManufacturer": "Somebody"}


@pytest.mark.parametrize(("verb", "about"), PAIRS, ids=lambda each: getattr(each, "value", each))
def test_hostile_arguments_write_nothing(host: Host, verb: str, about: About) -> None:
    before = host.files()
    mine = [each for each in attacks(verb) if each.about is about and not each.malformed]
    assert mine
    for attack in mine:
        outcome = Outcome(attack, host.call(verb, changing(attack)))
        assert outcome.refused == "", outcome
        assert host.changed(before) == {}, outcome
    assert host.defects == []


def changing(attack: Attack) -> dict[str, Any]:
    """Return the arguments of an attack; if it was taken, a file would change."""
    more = CHANGING[attack.verb]
    if attack.field in more:
        return attack.parameters
    return attack.parameters | more
