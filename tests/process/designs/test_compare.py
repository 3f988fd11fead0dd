# SPDX-License-Identifier: GPL-2.0-or-later
"""The models of the four designs still play, and the figures still are what the document says."""

from collections import Counter
from pathlib import Path

import pytest

from designs import DESIGNS, figures
from designs.compare import run, write
from designs.points import Seen


@pytest.mark.timeout(120)
def test_each_design_is_played(tmp_path: Path) -> None:
    results = run(["2", "4"], DESIGNS, rounds=1, seed=1, place=tmp_path)
    for design in DESIGNS:
        [declared], [killed] = (results[point][design] for point in ("2", "4"))
        assert declared.answers == {"call1": "KernelSettingFailed"}
        assert len(killed.answers) == 4
        for seen in (declared, killed):
            assert seen.recovery_s is not None
            assert (seen.lost, seen.twice) == (0, 0)
    # What is promised of C, and what A and B cannot promise: no client notices.
    assert set(results["4"]["C"][0].answers.values()) == {"ok"}
    assert "ok" not in results["4"]["A"][0].answers.values()


def test_a_row_counts_all_rounds(tmp_path: Path) -> None:
    one = Seen(answers={"a": "ok", "b": "vdsm is lost"}, later=Counter({"vdsm refuses": 2}))
    one.recovery_s, one.most, one.unsaid = 1.0, {"helper": 2, "vdsm": 1}, 1
    never = Seen(answers={"a": "ok"}, most={"helper": 1, "vdsm": 1}, orphans=1)
    row = figures.table({"6": {"A": [one, never]}}).splitlines()[-1]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:4] == ["A", "2 ok, 1 vdsm is lost", "2 vdsm refuses", "2, 1"]
    assert cells[4:] == ["0", "1", "0", "0", "1", "0", "1.00 s (1.00), none in 1"]
    document = tmp_path / "document"
    document.write_text("before\n<!-- begin of figures -->\nold\n<!-- end of figures -->\nafter\n")
    write(document, row)
    written = document.read_text()
    assert row in written
    assert "old" not in written
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    document.write_text("nothing")
    with pytest.raises(ValueError, match="no place"):
        write(document, row)
