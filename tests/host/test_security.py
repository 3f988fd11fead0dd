# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that a vdsm that was broken into could ask of supervdsm, asked from its own container.

All calls are made when the first test wants one; each test looks at what came of its part.
"""

import difflib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from machines import Machine
from security import ground
from security.attack import About
from security.campaign import Outcome, base64s, connections, encoded, outcomes
from security.hostile import PLANTED, attacks
from security.siege import Siege
from security.verbs import HELLO, PREFIX, TARGET, VERBS, Kind, good, kinds, message
from vdsm_contract.limits import MAX_MESSAGE

PAIRS = [
    (verb, about)
    for verb in VERBS
    for about in About
    if any(each.about is about and each.in_host for each in attacks(verb))
]
WALKS = [verb for verb in VERBS if Kind.PATH in kinds(verb)]
LEAST = int(os.environ.get("VDSM_SECURITY_ROUNDS", "10"))
"""Calls that must meet the link, and as many that must meet the place. More of them by hand."""
MOST = 3 * LEAST
"""Calls where nothing tells which of both was met."""
BOUND = 30 * LEAST
SECONDS = 500
"""What all races together may take."""
AUDIT = r"(?:INFO|WARNING) supervdsm\.audit: "
OUTSIDE = "/srv/attack-outside"


@pytest.fixture(scope="module")
def siege(host: Machine) -> Iterator[Siege]:
    siege = Siege(host)
    siege.begin()
    yield siege
    siege.end()


# --- the door -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Door:
    """For each verb how calls ended that may not come in, and supervdsm's journal of them."""

    unknown: dict[str, list[str]]
    """uid 36 in no service."""
    silent: dict[str, list[str]]
    """No Hello."""
    stale: dict[str, list[str]]
    """Hello of another release."""
    cut: dict[str, list[str]]
    large: dict[str, list[str]]
    journal: str

    def ran(self, verb: str) -> bool:
        """Whether the audit knows of a call of the verb, other than a Hello of these tests."""
        if verb == "service.Hello":
            return False
        return f"call {PREFIX}{verb} by " in self.journal


@pytest.fixture(scope="module")
def door(siege: Siege) -> Door:
    calls = {verb: message(verb, good(verb)) for verb in VERBS}
    stale = message("service.Hello", {"contract": "0"})
    since = siege.now()

    def errors(answers: list[list[str]]) -> dict[str, list[str]]:
        names = [[json.loads(each).get("error", "ok") for each in one] for one in answers]
        short = [[name.rpartition(".")[2] for name in one] for one in names]
        return dict(zip(VERBS, short, strict=True))

    unknown = siege.outside("talk", connections=[base64s(call) for call in calls.values()])
    ways: list[list[Any]] = [
        [base64s(call) for call in calls.values()],
        [base64s(stale, call) for call in calls.values()],
        [base64s(HELLO, call[:-1]) for call in calls.values()],
        [[*base64s(HELLO), [*base64s(call), MAX_MESSAGE]] for call in calls.values()],
    ]
    answers = siege.attack("talk", connections=[each for way in ways for each in way])
    count = len(calls)
    silent, old, cut, large = (
        errors(answers[way * count : (way + 1) * count]) for way in range(len(ways))
    )
    return Door(
        unknown=errors(unknown),
        silent=silent,
        stale=old,
        cut=cut,
        large=large,
        journal=siege.journal("supervdsm", since),
    )


@pytest.mark.parametrize("verb", VERBS)
def test_who_is_not_vdsm_runs_nothing(door: Door, verb: str) -> None:
    assert door.unknown[verb] == ["PeerRefused"]
    assert not door.ran(verb)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "service.Hello"])
def test_nothing_runs_before_hello(door: Door, verb: str) -> None:
    assert door.silent[verb] == ["HelloRequired"]
    assert door.stale[verb] == ["VersionMismatch"]
    assert not door.ran(verb)


@pytest.mark.parametrize("verb", VERBS)
def test_a_message_that_is_cut_off_runs_nothing(door: Door, verb: str) -> None:
    assert door.cut[verb] == ["ok", "BadMessage"]
    assert not door.ran(verb)


@pytest.mark.parametrize("verb", VERBS)
def test_a_message_beyond_the_limit_runs_nothing(door: Door, verb: str) -> None:
    assert door.large[verb] == ["ok", "BadMessage"]
    assert not door.ran(verb)


# --- the arguments ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Campaign:
    """How all attacks ended, the host before and after them, and supervdsm's journal of them.

    `controls` is how the good calls ended that attacks begin with.
    """

    controls: list[tuple[str, str]]
    outcomes: list[Outcome]
    before: list[str]
    after: list[str]
    same_process: bool
    journal: list[str]

    def of(self, verb: str) -> list[Outcome]:
        return [each for each in self.outcomes if each.attack.verb == verb]


@pytest.fixture(scope="module")
def campaign(siege: Siege) -> Iterator[Campaign]:
    siege.attack("plant", directory=PLANTED, target=TARGET)
    try:
        ground.lay(siege)
        yield attacked(siege, called(siege, ground.calls()))
    finally:
        called(siege, ground.removal())
        ground.clear(siege)


def called(siege: Siege, calls: ground.Calls) -> list[tuple[str, str]]:
    """Make calls one after the other; return the verb of each and its error, or nothing."""
    messages = [message(verb, parameters) for verb, parameters in calls]
    [answers] = siege.attack("talk", connections=[base64s(HELLO, *messages)])
    errors = [str(json.loads(each).get("error", "")) for each in answers[1:]]
    return [(verb, error) for (verb, _), error in zip(calls, errors, strict=True)]


def attacked(siege: Siege, controls: list[tuple[str, str]]) -> Campaign:
    pid, since = siege.host.pid("supervdsm"), siege.now()
    before = [*siege.state(), *mounts(siege)]
    every = [each for verb in VERBS for each in attacks(verb) if each.in_host]
    split = connections(every)
    answers = siege.attack("talk", connections=[encoded(each) for each in split])
    return Campaign(
        controls=controls,
        outcomes=[
            outcome
            for connection, told in zip(split, answers, strict=True)
            for outcome in outcomes(connection, told)
        ],
        before=before,
        after=[*siege.state(), *mounts(siege)],
        same_process=siege.host.pid("supervdsm") == pid,
        journal=siege.journal("supervdsm", since).splitlines(),
    )


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ground.ELSEWHERE])
def test_the_good_call_that_attacks_begin_with_passes(campaign: Campaign, verb: str) -> None:
    errors = [error for each, error in campaign.controls if each == verb]
    assert errors
    assert set(errors) == {""}


@pytest.mark.parametrize(("verb", "about"), PAIRS, ids=lambda each: getattr(each, "value", each))
def test_hostile_arguments_are_refused(campaign: Campaign, verb: str, about: About) -> None:
    mine = [each for each in campaign.of(verb) if each.attack.about is about]
    assert mine
    assert [f"{each.refused}: {each}" for each in mine if each.refused] == []


@pytest.mark.parametrize("verb", VERBS)
def test_errors_are_declared_and_tell_nothing(campaign: Campaign, verb: str) -> None:
    assert [f"{each.told}: {each}" for each in campaign.of(verb) if each.told] == []


def test_refused_calls_change_nothing(campaign: Campaign) -> None:
    assert changed(campaign.before, campaign.after) == []
    assert campaign.same_process
    assert not [line for line in campaign.journal if "audit: unexpected " in line]


@pytest.mark.parametrize("verb", VERBS)
def test_each_call_leaves_one_line(campaign: Campaign, verb: str) -> None:
    # Each connection but those of Hello's own attacks began with a Hello.
    written = Counter(
        match[1]
        for line in campaign.journal
        if (match := re.match(rf"{AUDIT}call {re.escape(PREFIX)}(\S+) by vdsm\[\d+\] flow=", line))
    )
    poll = VERBS[verb].promise.poll
    calls = [each for each in campaign.of(verb) if not each.attack.malformed]
    expected = sum(bool(each.error) or not poll for each in calls)
    if verb == "service.Hello":
        assert written[verb] > expected
    else:
        assert written[verb] == expected


def test_no_line_of_the_journal_is_forged(campaign: Campaign) -> None:
    """Every line begins with what supervdsm itself writes; nothing that was sent begins one."""
    beginning = re.compile(rf"{AUDIT}(call org\.ovirt\.supervdsm\.|refused vdsm\[)")
    assert [line for line in campaign.journal if line and not beginning.match(line)] == []
    assert all(line.isascii() and line.isprintable() for line in campaign.journal)


# --- links that are swapped in ------------------------------------------------------------------

PREPARE = f"""
    mkdir -p {OUTSIDE}/t /srv/attack-lease
    chown -R 36:36 {OUTSIDE}; chmod -R 777 {OUTSIDE}
    mount -t tmpfs tmpfs {OUTSIDE}/t
    chmod 777 {OUTSIDE}/t
    truncate -s 1M {OUTSIDE}/t/ids
    podman exec supervdsm sanlock direct init -s LS:1:/host{OUTSIDE}/t/ids:0
    chown 36:36 {OUTSIDE}/t/ids; chmod 666 {OUTSIDE}/t/ids
"""


RACES = [(verb, level) for verb in WALKS for level in ("last", "upper")]


def tells(verb: str, level: str) -> bool:
    """Whether an answer tells that a link was met.

    Fuser looks at no file, and umount(2) answers the same for a link and for what is no mount.
    """
    return verb != "storage.Fuser" and (verb, level) != ("storage.Umount", "last")


@pytest.fixture(scope="module")
def races(siege: Siege) -> Iterator[dict[str, Any]]:
    """How all races ended, and the mounts before and after them.

    Outside of vdsm's tree there is a mount that is in use, open to all, with a lease in it.
    """
    siege.host.sh(PREPARE)
    user = siege.host.start("sh", "-c", f"cd {OUTSIDE}/t && exec cat")
    before = mounts(siege)
    races = [
        {
            "verb": verb,
            "level": level,
            "directory": f"{TARGET}-race-{verb}-{level}",
            "most": BOUND if tells(verb, level) else MOST,
        }
        for verb, level in RACES
    ]
    try:
        told = siege.attack(
            "race", outside=f"/host{OUTSIDE}", least=LEAST, races=races, timeout=SECONDS
        )
        report = dict(zip(RACES, told, strict=True))
        yield {"mounts": (before, mounts(siege)), **{"-".join(one): report[one] for one in RACES}}
    finally:
        user.communicate()
        siege.host.sh(f"umount {OUTSIDE}/t")


@pytest.mark.parametrize("level", ["last", "upper"])
@pytest.mark.parametrize("verb", WALKS)
def test_a_link_swapped_in_is_not_followed(races: dict[str, Any], verb: str, level: str) -> None:
    race = races[f"{verb}-{level}"]
    outcomes = json.dumps(race["outcomes"], indent=1)
    print(outcomes)
    assert race["told"] == []
    assert changed(*races["mounts"]) == []
    assert ("symbolic link" in outcomes) == tells(verb, level)
    assert any("symbolic link" not in outcome for outcome in race["outcomes"])
    if verb == "storage.ValidateAccess":
        assert "ok" not in race["outcomes"]


def changed(before: list[str], after: list[str]) -> list[str]:
    """Return the lines that went, with a minus, and those that came, with a plus."""
    lines = list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]
    return [line for line in lines if not line.startswith("@@")]


def mounts(siege: Siege) -> list[str]:
    """Return all mounts that are not vdsm's own, as the host and supervdsm see them.

    Without those of services that systemd starts when their time has come, for a moment."""
    pids = f"1 {siege.host.pid('supervdsm')}"
    return siege.host.sh(
        f"for pid in {pids}; do awk '{{ print $3, $4, $5 }}' /proc/$pid/mountinfo; done"
        " | grep -v -e /overlay -e /rhev -e /run/credentials/ | sort"
    ).splitlines()
