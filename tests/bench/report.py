# SPDX-License-Identifier: GPL-2.0-or-later
"""Write what was measured into a document: `report.py DIRECTORY [RECORDS...]`.

DIRECTORY has performance.md, with a place for each part, and performance/, with all records and
the plots. A part of RECORDS replaces what was known of that part.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import figures
import plots
import records
from records import Record

PLOTTED: Final = (
    ("ipc", "Ping, threads", "ipc-ping", False),
    ("ipc", "Ping, threads", "ipc-ping-rate", True),
    ("ipc", "500 devices, threads", "ipc-500", False),
    ("ipc", "devices in an answer", "ipc-growth", False),
    ("stomp", "TLS, clients", "stomp-tls", False),
    ("stomp", "TLS, clients", "stomp-tls-rate", True),
    ("stomp", "plain, clients", "stomp-plain", False),
    ("memory", "resident, calls", "memory", False),
    ("caps", "links", "caps", False),
    ("storage", "file domain", "storage", False),
    *(
        (f"networks-{kind}", f"{phase}, networks", f"networks-{kind}-{phase}", False)
        for kind in ("veth", "vlan")
        for phase in ("add", "edit", "delete")
    ),
)
"""Part, case, name of the file, and whether calls a second are shown in the place of times."""


def main() -> None:
    directory = Path(sys.argv[1])
    store = directory / "performance/results.jsonl"
    new = [one for name in sys.argv[2:] for one in records.read(Path(name))]
    known = records.updated(records.read(store), new)
    store.parent.mkdir(parents=True, exist_ok=True)
    records.write(store, known)
    document = directory / "performance.md"
    text = document.read_text()
    for part in figures.places(text):
        found = [one for one in known if one.part == part]
        if found:
            text = figures.replaced(text, part, _section(directory, part, found))
    document.write_text(text)


def _section(directory: Path, part: str, found: Sequence[Record]) -> str:
    """Return a part's plots and tables; draw the plots."""
    shown = []
    for of, case, name, rate in PLOTTED:
        drawn = [
            one
            for one in found
            if of == part and one.case == case and one.unit in ("s", "MiB") and one.scale
        ]
        if len({one.scale for one in drawn}) > 1:
            plots.draw(drawn, case, directory / f"performance/{name}.svg", rate=rate)
            shown.append(f"![{case}](performance/{name}.svg)")
    told = [one for one in found if one.unit != "MiB" or part != "memory"]
    return "\n\n".join([*shown, figures.tables(told)])


if __name__ == "__main__":
    main()
