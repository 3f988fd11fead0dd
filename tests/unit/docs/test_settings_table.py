# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/operations.md lists every setting with its default, and no other."""

import re
from pathlib import Path

from vdsm_contract import config

PAGE = Path(__file__).parents[3] / "docs/operations.md"


def test_the_table_and_the_code_have_the_same_settings() -> None:
    section = PAGE.read_text().partition("## Configuration\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\[\w+\] \w+)` \| `?([^|`]*)`? \|", section, re.MULTILINE)
    assert [(name, default.strip()) for name, default in rows] == [
        (setting.name, setting.default) for setting in config.settings()
    ]
