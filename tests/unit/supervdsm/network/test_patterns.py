# SPDX-License-Identifier: GPL-2.0-or-later
"""Which NICs are shown is said by vdsm.conf, by the environment, and by nothing that is wrong."""

import logging
from pathlib import Path

import pytest

from supervdsm.network.kernel.devices import NicPatterns
from supervdsm.network.patterns import FAKE_NICS_ENV, nic_patterns

DEFAULT = NicPatterns()


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FAKE_NICS_ENV, raising=False)


def test_the_defaults_are_those_of_the_settings(tmp_path: Path) -> None:
    assert nic_patterns(tmp_path) == DEFAULT


def test_the_file_says_it(tmp_path: Path) -> None:
    (tmp_path / "vdsm.conf").write_text("[vars]\nhidden_nics = eno9, w*\nfake_nics =\n")
    assert nic_patterns(tmp_path) == NicPatterns(hidden=("eno9", "w*"), fake=())


def test_the_environment_has_the_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vdsm.conf").write_text("[vars]\nhidden_nics = eno9\nfake_nics = x*\n")
    monkeypatch.setenv(FAKE_NICS_ENV, "dummy_*, eth*,")
    assert nic_patterns(tmp_path) == NicPatterns(hidden=("eno9",), fake=("dummy_*", "eth*"))


def test_a_wrong_file_is_told_and_does_not_keep_the_networks_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "vdsm.conf").write_text("[vars]\nhidden_nics = eno9\nsls = true\n")
    with caplog.at_level(logging.ERROR):
        assert nic_patterns(tmp_path) == DEFAULT
    assert f"{tmp_path}/vdsm.conf, line 3: there is no setting [vars] sls" in caplog.text
