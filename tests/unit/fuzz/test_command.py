# SPDX-License-Identifier: GPL-2.0-or-later
"""containers/fuzz: what it reads out of libFuzzer's log, and what it says of it."""

import argparse
import importlib.machinery
import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from fuzz import sources, target

COMMAND = Path(__file__).parents[3] / "containers/fuzz"
LOG = """\
#8\tINITED cov: 31 ft: 44 corp: 5/1415b exec/s: 0 rss: 58Mb
#48949\tREDUCE cov: 34 ft: 50 corp: 9/2428b lim: 2048 exec/s: 3059 rss: 58Mb L: 1/2 MS: 1 Custom-
Done 48949 runs in 16 second(s)
stat::number_of_executed_units: 48949
stat::average_exec_per_sec:     3059
stat::new_units_added:          12
stat::slowest_unit_time_sec:    0
stat::peak_rss_mb:              58
"""


SECONDS = 16


class Engine:
    """In the place of libFuzzer: does what it is asked for, and writes down what that was."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.source = "one"

    def fuzz(self, name: str, limits: Sequence[str]) -> int:
        self.asked.append((name, tuple(limits)))
        (self._work / name).mkdir(exist_ok=True)
        (self._work / name / "log").write_text(LOG)
        return 0


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("containers_fuzz", str(COMMAND))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setattr(module, "WORK", tmp_path)
    monkeypatch.setattr(module, "PROJECT", tmp_path)
    (tmp_path / "wire").mkdir()
    return module


@pytest.fixture
def engine(command: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine(tmp_path)
    monkeypatch.setattr(command, "fuzz", made.fuzz)
    monkeypatch.setattr(command, "source_of", lambda _name: made.source)
    return made


def test_the_figures_are_those_of_the_log(command: ModuleType) -> None:
    result = command.read_log("wire", LOG, SECONDS)
    assert result == {
        "target": "wire",
        "source": "",
        "executions": 48949,
        "seconds": 16,
        "coverage": 34,
        "features": 50,
        "inputs": 9,
        "peak_rss_mb": 58,
        "slowest_s": 0,
    }
    assert "| wire | 48,949 | 3,059 | 34 | 50 | 9 | 58 | 0 |" in command.report([result])


def test_a_target_that_crashed_at_once_is_listed(command: ModuleType, tmp_path: Path) -> None:
    result = command.read_log("wire", LOG[LOG.index("stat::") :], SECONDS)
    (tmp_path / "wire/crash-1").write_bytes(b"x")
    assert command.findings("wire") == ["wire/crash-1"]
    assert command.report([result]).endswith("| 1 |")


def test_a_target_that_never_ran_is_not(command: ModuleType) -> None:
    assert command.read_log("wire", "", SECONDS) is None
    assert command.read_result("wire") is None
    assert command.read_result("stomp") is None


def test_runs_of_one_source_add_up(command: ModuleType, engine: Engine) -> None:
    for _ in range(2):
        assert command.run_all(["wire"], None, None, 1) == 0
    assert engine.asked == [
        ("wire", ("-runs=1000000",)),
        ("wire", (f"-runs={1_000_000 - 48949}",)),
    ]
    assert command.read_result("wire")["executions"] == 2 * 48949


def test_another_source_is_counted_anew(command: ModuleType, engine: Engine) -> None:
    command.run_all(["wire"], 7, None, 1)
    engine.source = "two"
    command.run_all(["wire"], None, 60, 1)
    assert engine.asked[1] == ("wire", ("-max_total_time=60",))
    assert command.read_result("wire")["executions"] == 48949


def test_a_target_that_has_its_million_runs_when_told_so(
    command: ModuleType, engine: Engine
) -> None:
    command.write_result(
        {**command.read_log("wire", LOG, SECONDS), "source": "one", "executions": 1_000_000}
    )
    command.run_all(["wire"], None, None, 1)
    assert engine.asked == []
    command.run_all(["wire"], 5, 60, 1)
    assert engine.asked == [("wire", ("-runs=5", "-max_total_time=60"))]


def test_several_targets_run_beside_each_other(
    command: ModuleType, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=30)

    def wait(name: str, limits: Sequence[str]) -> int:
        both.wait()
        return engine.fuzz(name, limits)

    monkeypatch.setattr(command, "fuzz", wait)
    assert command.run_all(["wire", "stomp"], None, None, 2) == 0
    assert {name for name, _ in engine.asked} == {"wire", "stomp"}


def test_a_target_that_cannot_run_does_not_keep_the_others(
    command: ModuleType, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def source_of(name: str) -> str:
        if name == "wire":
            raise RuntimeError("no module")
        return "one"

    monkeypatch.setattr(command, "source_of", source_of)
    assert command.run_all(["wire", "stomp"], None, None, 1) == 1
    assert [name for name, _ in engine.asked] == ["stomp"]


def test_what_was_ended_begins_nothing_more(command: ModuleType, engine: Engine) -> None:
    command.stop(15, None)
    assert command.run_all(["wire", "stomp"], None, None, 2) == 0
    assert engine.asked == []


def test_the_page_marks_what_was_changed_since(
    command: ModuleType, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "fuzzing.md"
    page.write_text("before\n<!-- figures -->\nold\n<!-- end of figures -->\nbehind\n")
    monkeypatch.setattr(command, "PAGE", page)
    command.run_all(["wire"], None, None, 1)
    command.write_page(command.results(["wire"]))
    assert "| wire | 48,949 |" in page.read_text()
    engine.source = "two"
    command.write_page(command.results(["wire"]))
    text = page.read_text()
    assert "| wire | 48,949* |" in text
    assert text.startswith("before\n")
    assert text.endswith("behind\n")


def test_a_source_is_its_files(tmp_path: Path) -> None:
    files = [tmp_path / "a.py", tmp_path / "b.toml"]
    for file in files:
        file.write_text("x")
    before = sources.digest(files)
    assert sources.digest(reversed(files)) == before
    files[1].write_text("y")
    assert sources.digest(files) != before


def test_the_source_of_a_target_has_what_it_imports() -> None:
    target.load("api_schema").run(b"")
    names = {path.name for path in sources.files()}
    assert {"api_schema.py", "schema.py", "types.toml"} <= names
    assert "mutate.py" not in names


def test_it_knows_the_targets_that_ci_runs(command: ModuleType) -> None:
    assert command.names() == target.names()


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("5s", 5), ("10m", 600), ("2h", 7200)])
def test_times(command: ModuleType, text: str, seconds: int) -> None:
    assert command.read_time(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "1d", "-1", "1.5h"])
def test_what_is_no_time(command: ModuleType, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        command.read_time(text)
