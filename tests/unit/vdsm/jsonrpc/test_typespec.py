# SPDX-License-Identifier: GPL-2.0-or-later
"""The language of the API's types, and the check of values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.typespec import (
    Mismatch,
    SpecError,
    check,
    parse_type,
    write_type,
)

TYPES = {"UUID": parse_type("string"), "Role": parse_type("enum Master | Regular")}

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "text",
    [
        "string",
        "[[UUID]]",
        "map<UUID, [int]>",
        "enum a b | c.1 | -",
        "union string | { a: int }",
        "{ a: int, b?: [boolean], c: map<string, object> }",
        "{  }",
        "map<string, raw<[int]>>",
    ],
)
def test_types_are_written_as_they_are_read(text: str) -> None:
    assert write_type(parse_type(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[int",
        "map<int>",
        "raw<int",
        "raw<>",
        "{ a int }",
        "{ a: int",
        "enum a |",
        "int int",
        "?",
        "union",
    ],
)
def test_wrong_types_are_refused(text: str) -> None:
    with pytest.raises(SpecError):
        parse_type(text)


@pytest.mark.parametrize(
    ("text", "value", "result"),
    [
        ("int", "-5", -5),
        ("int", 5.0, 5),
        ("uint", "18446744073709551615", 2**64 - 1),
        ("boolean", "True", True),
        ("boolean", False, False),
        ("float", "1.5", 1.5),
        ("float", 1, 1),
        ("enum 0 | 1", 1, 1),
        ("enum 0 | 1", "1", "1"),
        ("union int | string", "x", "x"),
        ("[int]", ["1", 2], [1, 2]),
        ("map<string, uint>", {"a": "1"}, {"a": 1}),
        ("{ a: int, b?: int }", {"a": "1", "b": None, "c": [None]}, {"a": 1, "c": [None]}),
        ("Role", "Master", "Master"),
        ("object", None, None),
    ],
)
def test_values_that_fit_are_converted(text: str, value: JSON, result: JSON) -> None:
    checked = check(value, parse_type(text), "p", TYPES)
    assert checked == result
    assert type(checked) is type(result)


@pytest.mark.parametrize(
    ("text", "value", "complaint"),
    [
        ("string", 1, "p: expected string, got number"),
        ("string", None, "p: expected string, got null"),
        ("int", True, "p: expected int, got boolean"),
        ("int", "0x10", "p: expected int, got string"),
        ("int", "٣", "p: expected int, got string"),
        ("int", 1.5, "p: expected int, got number"),
        ("uint", -1, "p: expected uint, got a negative number"),
        ("boolean", "yes", "p: expected boolean, got string"),
        ("[int]", {}, "p: expected an array, got object"),
        ("[UUID]", ["a", []], "p[1]: expected string, got array"),
        ("map<string, Role>", {"x": "Slave"}, "p.x: expected one of: Master, Regular"),
        ("{ a: { b: int } }", {"a": {}}, "p.a.b: is missing"),
        ("{ a: int }", [], "p: expected an object, got array"),
        ("union { a: int } | { b: { c: int } }", {"b": {"c": "x"}}, "p.b.c: expected int, got"),
        ("enum 0 | 1", True, "p: expected one of: 0, 1"),
    ],
)
def test_values_that_do_not_fit_are_named(text: str, value: JSON, complaint: str) -> None:
    with pytest.raises(Mismatch) as caught:
        check(value, parse_type(text), "p", TYPES)
    assert str(caught.value).startswith(complaint)


@given(json)
def test_any_value_fits_or_is_a_mismatch(value: JSON) -> None:
    spec = parse_type("{ a?: [int], b?: map<string, Role>, c?: union string | float }")
    try:
        once = check(value, spec, "p", TYPES)
    except Mismatch:
        return
    assert check(once, spec, "p", TYPES) == once


@given(json)
def test_what_is_raw_is_passed_on_as_it_is(value: JSON) -> None:
    spec = parse_type("map<string, raw<{ a: int, b?: [boolean] }>>")
    assert check({"x": value}, spec, "p", TYPES) == {"x": value}
