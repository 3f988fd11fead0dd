# SPDX-License-Identifier: GPL-2.0-or-later
"""Write the seeds of targets into their corpora: `python -m fuzz.seeds TARGET...`."""

import sys

from fuzz import target


def main() -> None:
    for name in sys.argv[1:]:
        found = target.load(name)
        found.corpus.mkdir(parents=True, exist_ok=True)
        for seed, data in found.seeds().items():
            (found.corpus / seed).write_bytes(data)


if __name__ == "__main__":
    main()
