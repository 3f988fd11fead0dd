# SPDX-License-Identifier: GPL-2.0-or-later
"""Keep what a run has found: `python -m fuzz.keep TARGET DIRECTORY BYTES`.

libFuzzer merges the directory into the smallest set that reaches all that it reaches; of that the
smallest inputs are kept, MOST at most and of so many bytes together, beside the seeds and beside
what crashed once (`crash-*`).
"""

import os
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from fuzz import target

MOST = 16
"""Inputs of a target that are kept beside its seeds: a run finds the others again in minutes."""


def main() -> None:
    name, grown, most = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    found = target.load(name)
    ours = {*found.seeds(), *(path.name for path in found.corpus.glob("crash-*"))}
    for path in found.corpus.iterdir():
        if path.name not in ours:
            path.unlink()
    with tempfile.TemporaryDirectory() as directory:
        itself, merged = Path(directory, "engine"), Path(directory, "merged")
        merged.mkdir()
        itself.write_text(f'#!/bin/sh\nexec {sys.executable} -m fuzz.engine {name} "$@"\n')
        itself.chmod(0o755)
        command = [itself, "-merge=1", merged, found.corpus, grown]
        environment = {**os.environ, "VDSM_FUZZ_ENGINE": str(itself), "TMPDIR": directory}
        subprocess.run(command, check=True, capture_output=True, env=environment)
        known = {path.read_bytes() for path in found.corpus.iterdir()}
        inputs = sorted({path.read_bytes() for path in merged.iterdir()} - known, key=len)
    left = most - sum(map(len, known))
    kept = 0
    for data in inputs:
        left -= len(data)
        if left < 0 or kept == MOST:
            break
        (found.corpus / f"found-{sha256(data).hexdigest()[:12]}").write_bytes(data)
        kept += 1
    print(f"{name}: {len(known)} seeds, {kept} of {len(inputs)} inputs kept")


if __name__ == "__main__":
    main()
