# SPDX-License-Identifier: GPL-2.0-or-later
"""JSON-RPC messages: what `parse` finds, and that every message gets its one answer."""

import json
import random
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from vdsm.jsonrpc.registry import Address
from vdsm.jsonrpc.rpc import Origin, Outcome, Quota, Request, Rpc, parse

ORIGIN = Origin("", Address("::1", 1), Address("::1", 2), Quota(1))


class Later:
    """A caller that answers in an order of its own."""

    def __init__(self) -> None:
        self.pending: list[tuple[Request, Callable[[Outcome], None]]] = []

    def call(self, request: Request, origin: Origin, done: Callable[[Outcome], None]) -> None:
        self.pending.append((request, done))

    def end(self) -> None:
        random.Random(1).shuffle(self.pending)
        for request, done in self.pending:
            done(json.dumps(request.method).encode())


numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
ids = st.none() | st.text(max_size=5) | numbers
calls = st.fixed_dictionaries({"jsonrpc": st.just("2.0"), "method": st.text(min_size=1), "id": ids})
notes = st.fixed_dictionaries({"jsonrpc": st.just("2.0"), "method": st.text(min_size=1)})
rubbish: st.SearchStrategy[object] = st.sampled_from(
    [1, "x", None, {}, [], {"jsonrpc": "2.0"}, {"method": "a", "id": 1}]
)


@given(st.lists(calls | notes | rubbish, min_size=1, max_size=10))
def test_a_batch_gets_one_answer_in_order_and_notes_get_none(batch: list[object]) -> None:
    caller, answers = Later(), list[bytes]()
    message = parse(json.dumps(batch).encode("utf-8", "surrogatepass"), 128)
    Rpc(caller).handle(message, ORIGIN, answers.append)
    caller.end()
    due = [e for e in batch if not (isinstance(e, dict) and "method" in e and "id" not in e)]
    assert message.answered is bool(due)
    assert len(answers) == bool(due)
    if due:
        answered = json.loads(answers[0])
        assert [a["id"] for a in answered] == [
            e.get("id") if isinstance(e, dict) else None for e in due
        ]
        for answer, entry in zip(answered, due, strict=True):
            if "result" in answer:
                assert isinstance(entry, dict)
                assert answer["result"] == entry["method"]
            else:
                assert answer["error"]["code"] == -32600


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message(body: bytes) -> None:
    assert parse(body, 10).entries


def test_a_batch_is_limited() -> None:
    (entry,) = parse(json.dumps([1] * 11).encode(), 10).entries
    assert not isinstance(entry, Request)
    assert entry.error.code == -32600


def test_null_params_are_no_params() -> None:
    (entry,) = parse(b'{"jsonrpc":"2.0","method":"m","params":null}', 10).entries
    assert entry == Request("m", {}, None, notification=True)
