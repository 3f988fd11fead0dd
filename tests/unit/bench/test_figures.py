# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmarks make of their times: figures, records, tables, and their places."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

BENCH = str(Path(__file__).parents[2] / "bench")
sys.path.insert(0, BENCH)  # the benchmarks are programs, which find each other beside them
import figures  # noqa: E402
import records  # noqa: E402
import stats  # noqa: E402

sys.path.remove(BENCH)

TIMES = st.lists(st.floats(1e-6, 10), min_size=1, max_size=200)


@given(times=TIMES)
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(times: list[float]) -> None:
    ordered = sorted(times)
    for percent in (50, 99, 100):
        found = stats.percentile(ordered, percent)
        assert found in ordered
        assert sum(one <= found for one in ordered) * 100 >= percent * len(ordered)
        assert sum(one < found for one in ordered) * 100 < percent * len(ordered)


@given(times=TIMES)
def test_a_summary_is_in_order(times: list[float]) -> None:
    one = stats.summary(times)
    assert one.n == len(times)
    assert one.p50 <= max(one.p99, one.worst)
    assert one.p99 <= one.worst
    assert one.rate == pytest.approx(len(times) / sum(times))
    assert stats.summary(times, 2.0).rate == len(times) / 2


def test_a_slow_repeat_does_not_move_the_median() -> None:
    quick = stats.summary([0.001] * 10)
    slow = stats.summary([9.0] * 10)
    one = records.merged("ipc", "Ping", "ours", 1, [quick, quick, slow, quick, quick])
    assert (one.p50, one.p99, one.worst, one.spread) == (0.001, 0.001, 9.0, (0.001, 0.001))
    assert (one.n, one.repeats) == (50, 5)


def test_memory_that_grows_has_a_slope() -> None:
    assert stats.slope([(0, 10), (1, 12), (2, 14)]) == pytest.approx(2)
    assert stats.slope([(0, 10), (1, 10)]) == 0


def record(what: str, p50: float, *, part: str = "ipc", scale: float = 1) -> records.Record:
    return records.of_values(part, "Ping, threads", what, scale, [p50])


def test_a_ratio_is_to_the_floor_of_the_same_case_and_scale() -> None:
    found = records.compared(
        [
            record("ours", 6),
            record("raw", 2),
            record("ours", 9, scale=8),
            record("raw", 3, scale=8),
        ],
        "raw",
    )
    assert [(one.what, one.ratio) for one in found] == [
        ("ours", 3), ("raw", 1), ("ours", 3), ("raw", 1),
    ]  # fmt: skip
    assert records.compared([record("ours", 6)], "raw") == [record("ours", 6)]


def test_a_part_measured_anew_leaves_nothing_of_the_old_one(tmp_path: Path) -> None:
    old = [record("ours", 1), record("gone", 1), record("theirs", 1, part="storage")]
    new = [record("ours", 2), replace(record("ours", 3), ratio_to="raw", ratio=1.5)]
    merged = records.updated(old, new)
    assert {(one.part, one.what, one.p50) for one in merged} == {
        ("storage", "theirs", 1),
        ("ipc", "ours", 3),
    }
    file = tmp_path / "results.jsonl"
    records.write(file, merged)
    assert sorted(records.read(file), key=str) == sorted(merged, key=str)
    again = tmp_path / "again.jsonl"
    records.write(again, reversed(merged))
    assert again.read_bytes() == file.read_bytes()
    assert records.read(tmp_path / "none") == []


TEXT = "before\n<!-- figures: ipc -->\nold\n<!-- end of figures -->\nafter\n"


def test_figures_go_between_their_marks_and_nowhere_else() -> None:
    once = figures.replaced(TEXT, "ipc", "new\n")
    assert once == "before\n<!-- figures: ipc -->\n\nnew\n\n<!-- end of figures -->\nafter\n"
    assert figures.replaced(once, "ipc", "new") == once
    assert figures.places(once + TEXT.replace("ipc", "storage")) == ["ipc", "storage"]


@pytest.mark.parametrize(
    "text", ["", "<!-- figures: ipc -->", TEXT + TEXT, TEXT.replace("ipc", "other")]
)
def test_a_document_without_the_place_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="no place for ipc"):
        figures.replaced(text, "ipc", "new")


def test_the_document_has_a_place_for_each_part_of_the_command() -> None:
    root = Path(__file__).parents[3]
    text = (root / "docs/performance.md").read_text()
    for name in figures.places(text):
        assert figures.replaced(text, name, "figures")
    assert {"ipc", "stomp", "memory", "storage", "footprint"} <= set(figures.places(text))


def test_a_table_has_a_row_for_each_record_and_no_empty_column() -> None:
    found = records.compared([record("ours", 0.0000034), record("raw", 0.000002)], "raw")
    title, _, head, rule, *rows = figures.tables(found).splitlines()
    assert title == "**Ping, threads** (ratio: to raw)"
    assert head == "| what | scale | median | ratio | n |"
    assert rule == "|---|---:|---:|---:|---:|"
    assert rows == ["| raw | 1 | 2 µs | 1.00 | 1 |", "| ours | 1 | 3.4 µs | 1.70 | 1 |"]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.00001234, "s", "12.3 µs"),
        (0.5, "s", "500 ms"),
        (83.2, "s", "83.2 s"),
        (0, "s", "0 µs"),
        (1234.5, "MB", "1,234 MB"),
        (1.666, "times", "1.67 x"),
    ],
)
def test_a_quantity_is_told_with_a_unit_that_fits(value: float, unit: str, text: str) -> None:
    assert figures.quantity(value, unit) == text
