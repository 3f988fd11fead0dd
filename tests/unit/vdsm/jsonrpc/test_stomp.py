# SPDX-License-Identifier: GPL-2.0-or-later
"""STOMP frames: round trips, bytes cut anywhere, hostile bytes."""

import time
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm.jsonrpc.limits import FrameLimits
from vdsm.jsonrpc.stomp import CLIENT_COMMANDS, Frame, FrameError, Parser, heart_beat

LIMITS = FrameLimits(headers=20, header_bytes=4096, body_bytes=8192)

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
names = text.filter(lambda name: name and name != "content-length")
with_body = st.builds(
    Frame,
    st.just("SEND"),
    st.dictionaries(names, text, max_size=10),
    st.binary(max_size=2000),
)
without_body = st.builds(
    Frame,
    st.sampled_from(sorted(CLIENT_COMMANDS - {"SEND", "CONNECT"})),
    st.dictionaries(names, text, max_size=10),
)
frames = st.lists(st.one_of(with_body, without_body), max_size=5)


def read(data: bytes, cuts: tuple[int, ...] = (), limits: FrameLimits = LIMITS) -> list[Frame]:
    parser = Parser(CLIENT_COMMANDS, limits)
    found: list[Frame] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for begin, end in pairwise(edges):
        found += parser.feed(data[begin:end])
    return found


def without_length(frame: Frame) -> Frame:
    headers = {k: v for k, v in frame.headers.items() if k != "content-length"}
    return Frame(frame.command, headers, frame.body)


@given(frames, st.lists(st.integers(0, 100_000), max_size=20), st.sampled_from(["", "\n", "\r\n"]))
def test_frames_survive_the_wire_wherever_it_cuts_them(
    sent: list[Frame], cuts: list[int], between: str
) -> None:
    data = b"".join(frame.encode() + between.encode() for frame in sent)
    assert [without_length(frame) for frame in read(data, tuple(cuts))] == sent


@given(with_body)
def test_bytes_come_one_by_one(sent: Frame) -> None:
    data = sent.encode()
    assert [without_length(frame) for frame in read(data, tuple(range(len(data))))] == [sent]


@given(st.binary(max_size=500), st.lists(st.integers(0, 500), max_size=5))
def test_any_bytes_are_frames_or_a_frame_error_the_same_for_all_cuts(
    data: bytes, cuts: list[int]
) -> None:
    def outcome(cuts: tuple[int, ...]) -> object:
        try:
            return read(data, cuts)
        except FrameError:
            return FrameError

    assert outcome(tuple(cuts)) == outcome(())


@given(st.sampled_from(sorted(CLIENT_COMMANDS)), st.binary(max_size=300))
def test_a_command_and_any_bytes_are_frames_or_a_frame_error(command: str, rest: bytes) -> None:
    with suppress(FrameError):
        read(command.encode() + b"\n" + rest)


def test_the_first_of_a_repeated_header_counts() -> None:
    assert read(b"SEND\nfoo:one\nfoo:two\n\n\0")[0].headers == {"foo": "one"}


def test_values_keep_their_blanks_and_colons() -> None:
    assert read(b"SEND\na: b:c \n\n\0")[0].headers == {"a": " b:c "}


def test_connect_is_not_escaped() -> None:
    assert read(b"CONNECT\npasscode:a\\nb\n\n\0")[0].headers == {"passcode": "a\\nb"}
    with pytest.raises(FrameError):
        Frame("CONNECTED", {"server": "a\nb"}).encode()


def test_a_body_without_length_ends_at_nul_and_one_with_length_may_hold_it() -> None:
    data = b"SEND\n\nab\0SEND\ncontent-length:3\n\na\0b\0"
    assert [frame.body for frame in read(data)] == [b"ab", b"a\0b"]


@pytest.mark.parametrize(
    "data",
    [
        b"send\n",
        b"S\0",
        b"NONSENSE",
        b"\rSEND",
        b"SEND\n:value\n\n\0",
        b"SEND\na:\\t\n\n\0",
        b"SEND\na:b\\\n\n\0",
        b"SEND\na:b\rc\n\n\0",
        b"SEND\na:\xc3\n\n\0",
        b"SEND\ncontent-length:2\n\nabc\0",
        b"SEND\ncontent-length:+2\n\nab\0",
        b"SEND\ncontent-length:\xd9\xa3\n\nabc\0",
        b"SEND\ncontent-length:8193\n\n",
        b"SEND\n\n" + b"x" * 8193,
        b"SEND\n\n" + b"x" * 8193 + b"\0",
        b"SEND\na:" + b"x" * 4100,
        b"SEND\n" + b"a:b\n" * 21 + b"\n\0",
        b"SUBSCRIBE\nid:1\n\nbody\0",
    ],
)
def test_hostile_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        read(data)
    with pytest.raises(FrameError):
        read(data, tuple(range(len(data))))


def test_a_frame_that_has_begun_is_partial() -> None:
    parser = Parser(CLIENT_COMMANDS, LIMITS)
    for data, partial in [(b"\n", False), (b"SE", True), (b"ND\n\nx", True), (b"\0\n", False)]:
        list(parser.feed(data))
        assert parser.partial is partial


@pytest.mark.parametrize(
    ("header", "times"), [(None, (0, 0)), ("0,0", (0, 0)), (" 500 , 30000", (500, 30000))]
)
def test_heart_beat(header: str | None, times: tuple[int, int]) -> None:
    assert heart_beat(header) == times


@pytest.mark.parametrize("header", ["", "1", "1,2,3", "-1,0", "a,b", "9999999999,0"])
def test_wrong_heart_beat(header: str) -> None:
    with pytest.raises(FrameError):
        heart_beat(header)


@pytest.mark.parametrize(
    "data", [b"BEGIN\na:b\n\r\n\n\0", b"BEGIN\n\n\r\n\0", b"BEGIN\r\n\r\n\n\0"]
)
def test_of_two_blank_lines_the_first_ends_the_headers(data: bytes) -> None:
    with pytest.raises(FrameError, match="has no body"):
        list(Parser(CLIENT_COMMANDS, LIMITS).feed(data))


def test_many_frames_at_once_take_as_long_as_one_by_one() -> None:
    """Each was once looked for to the end of all that had come: seconds for 256 KiB."""

    def seconds(count: int) -> float:
        data = b"BEGIN\na:b\n\n\0" * count
        begin = time.process_time()
        assert sum(1 for _ in Parser(CLIENT_COMMANDS, FrameLimits()).feed(data)) == count
        return time.process_time() - begin

    few = min(seconds(1000) for _ in range(3))
    assert min(seconds(16_000) for _ in range(3)) < 60 * few  # 16, if it is linear; 256, if not
