# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of both journals become one timeline, whatever is in them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm_contract import flow
from vdsm_tool.trace import journal, timeline
from vdsm_tool.trace.timeline import Entry

API = (
    "INFO vdsm.jsonrpc.dispatch: call method=Host.setupNetworks client=192.0.2.1:4711 flow=1a2b"
    " code=0 duration=2.000s waited=0.500s slow"
)
VERB = (
    'INFO supervdsm.audit: call org.ovirt.supervdsm.network.SetupNetworks by vdsm[7] flow="1a2b"'
    ' args={"networks":{}} outcome=ok duration=1.900000'
)
DONE = 'INFO supervdsm.network.apply.executor: done: create bridge b; set b up flow="1a2b"'
MOUNT = 'INFO supervdsm.storage.stage: mount(8) of "a:/b" ended with 32 after 0.250 s flow="1a2b"'


def told(*entries: Entry) -> list[tuple[float, str, str, str]]:
    found = timeline.timeline("1a2b", entries)
    return [(event.offset, event.who, event.what, event.outcome) for event in found.events]


def test_things_stand_where_they_began_and_not_where_they_were_written() -> None:
    assert told(Entry(101.0, "supervdsm", DONE), Entry(102.0, "supervdsm", VERB),
                Entry(102.01, "vdsm", API)) == [
        (0.0, "client", "192.0.2.1:4711 calls Host.setupNetworks", ""),
        (0.5, "vdsm", "Host.setupNetworks", "ok"),
        (0.59, "supervdsm", 'network.SetupNetworks {"networks":{}} by vdsm[7]', "ok"),
        (1.49, "supervdsm", "done: create bridge b; set b up", ""),
    ]  # fmt: skip


def test_a_part_of_a_call_never_comes_before_the_call() -> None:
    # The stamps of two containers differ by some milliseconds, durations are rounded.
    fast = VERB.replace("1.900000", "1.999900")
    found = told(Entry(101.98, "supervdsm", fast), Entry(102.0, "vdsm", API))
    assert [who for _, who, _, _ in found] == ["client", "vdsm", "supervdsm"]


def test_a_part_of_the_first_call_is_not_moved_to_the_second() -> None:
    first = VERB.replace("1.900000", "0.045000")
    second = first.replace("SetupNetworks", "Ping")
    done = MOUNT.replace("0.250", "0.030")
    entries = [(10.0, done), (10.01, first), (10.06, second)]
    found = told(*(Entry(at, "supervdsm", line) for at, line in entries))
    assert [what.split()[0] for _, _, what, _ in found] == [
        "network.SetupNetworks", "mount(8)", "network.Ping",
    ]  # fmt: skip


def test_a_command_tells_its_status_and_how_long_it_took() -> None:
    found = timeline.timeline("1a2b", [Entry(100.0, "supervdsm", MOUNT)])
    (event,) = found.events
    assert (event.what, event.outcome) == ('mount(8) of "a:/b"', "32")
    assert (event.at, event.duration) == (99.75, 0.25)


def test_failures_are_told_with_their_text() -> None:
    api = API.replace("code=0", "code=477").replace(" slow", " error='it failed'")
    verb = VERB.replace("outcome=ok", 'outcome=MountFailed "no outcome=ok duration=1"')
    outcomes = [
        outcome for *_, outcome in told(Entry(9, "vdsm", api), Entry(8.9, "supervdsm", verb))
    ]
    assert outcomes == ["", "code 477 'it failed'", 'MountFailed "no outcome=ok duration=1"']


def test_arguments_cannot_forge_an_outcome() -> None:
    forged = VERB.replace('{"networks":{}}', '{"a":"x outcome=ok duration=1"}').replace(
        "} outcome=ok", '} outcome=Busy "no"'
    )
    assert told(Entry(9, "supervdsm", forged))[0][3] == 'Busy "no"'


def test_what_is_shown_has_one_line_for_each_event() -> None:
    found = timeline.timeline("1a2b", [Entry(1.0, "vdsm", "WARNING x: a\x1b[2J\nforged")])
    header, line = timeline.text(found)
    assert header.startswith('flow "1a2b": 1 events in 0.000 s')
    assert line.endswith("vdsm         a?[2J?forged")


@given(st.lists(st.tuples(st.floats(0, 1e9), st.sampled_from(["vdsm", "supervdsm"]), st.text()),
                min_size=1))  # fmt: skip
def test_no_line_breaks_it(lines: list[tuple[float, str, str]]) -> None:
    found = timeline.timeline("x", [Entry(*line) for line in lines])
    assert len(timeline.text(found)) == len(found.events) + 1
    assert [event.offset for event in found.events] == sorted(e.offset for e in found.events)


# --- the journal --------------------------------------------------------------------------------


def test_entries_of_the_journal_are_read_and_others_left_out() -> None:
    good = {"__REALTIME_TIMESTAMP": "1500000", "CONTAINER_NAME": "vdsm", "MESSAGE": "hello"}
    as_bytes = {**good, "MESSAGE": list(b"a\xff")}
    lines = [good, as_bytes, {**good, "MESSAGE": None}, {"MESSAGE": "x"}, [], "x"]
    text = "\n".join([*map(json.dumps, lines), "no json"])
    assert list(journal.entries(text)) == [Entry(1.5, "vdsm", "hello"), Entry(1.5, "vdsm", "a�")]


@pytest.mark.parametrize(
    ("line", "flow_id", "belongs"),
    [
        ("call method=a client=b flow=1a code=0", "1a", True),
        ("call method=a client=b flow=1a2 code=0", "1a", False),
        ('hello flow="1a"', "1a", True),
        ('change flow="1a": committed', "1a", True),
        ('hello flow="1a2"', "1a", False),
        ("call flow=a?b code=0", "a b", True),
        ('hello flow="\\"x"', '"x', True),
    ],
)
def test_a_line_belongs_to_one_flow(line: str, flow_id: str, belongs: bool) -> None:
    assert journal.belongs(line, flow_id) is belongs


@pytest.mark.parametrize(
    "flow_id", ["a.b*", "$(reboot)", "--output=cat", '"; rm', "(", "\\E", "ü ß"]
)
def test_nothing_of_a_flow_id_has_a_meaning_for_grep(flow_id: str) -> None:
    import re

    found = re.compile(journal.pattern(flow_id))
    quoted, word = journal.spellings(flow_id)
    assert found.search(f"x flow={quoted}")
    assert found.search(f"x flow={word} y")
    assert not re.fullmatch(found, "flow=")


def test_a_flow_id_that_is_too_long_is_found_by_what_was_kept_of_it() -> None:
    long = "x" * 1000
    assert journal.belongs(f"hello flow={flow.told('x' * flow.LONGEST)}", long)
