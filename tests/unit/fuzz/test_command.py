# SPDX-License-Identifier: GPL-2.0-or-later
"""containers/fuzz: what it reads out of libFuzzer's log, and what it says of it."""

import argparse
import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from fuzz import target

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


def test_the_figures_are_those_of_the_log(command: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "wire/log").write_text(LOG)
    result = command.read_result("wire")
    assert result == {
        "target": "wire",
        "executions": 48949,
        "seconds": 16,
        "per_second": 3059,
        "coverage": 34,
        "features": 50,
        "inputs": 9,
        "peak_rss_mb": 58,
        "slowest_s": 0,
        "findings": [],
    }
    assert "| wire | 48,949 | 3,059 | 34 | 50 | 9 | 58 | 0 |" in command.report([result])


def test_a_target_that_crashed_at_once_is_listed(command: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "wire/log").write_text(LOG[LOG.index("stat::") :])
    (tmp_path / "wire/crash-1").write_bytes(b"x")
    assert command.read_result("wire")["findings"] == ["wire/crash-1"]


def test_a_target_that_never_ran_is_not(command: ModuleType) -> None:
    assert command.read_result("wire") is None
    assert command.read_result("stomp") is None


def test_it_knows_the_targets_that_ci_runs(command: ModuleType) -> None:
    assert command.names() == target.names()


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("5s", 5), ("10m", 600), ("2h", 7200)])
def test_times(command: ModuleType, text: str, seconds: int) -> None:
    assert command.read_time(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "1d", "-1", "1.5h"])
def test_what_is_no_time(command: ModuleType, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        command.read_time(text)
