# SPDX-License-Identifier: GPL-2.0-or-later
"""Print which source a target runs: `python -m fuzz.sources TARGET`.

Executions are counted for one source: the modules of ours that the target imports, the data beside
them, the target itself, and the versions of what it imports from others. The mutations are none of
it: they say what is tried, not what is tested.
"""

import sys
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from fuzz import target

LOCK = target.HERE.parents[1] / "requirements/fuzz.lock"


def main() -> None:
    found = target.load(sys.argv[1])
    for data in found.seeds().values():
        found.run(data)  # some of it is imported on the way
    print(digest([LOCK, *files()]))


def files() -> Iterator[Path]:
    """The files of what is imported by now."""
    for name, module in list(sys.modules.items()):
        ours = name.partition(".")[0] in target.OURS
        file = getattr(module, "__file__", None)
        if file and (ours or name == "fuzz.target" or name.startswith("fuzz.targets")):
            yield Path(file)
            if ours and Path(file).name == "__init__.py":
                yield from data_of(Path(file).parent)


def data_of(package: Path) -> Iterator[Path]:
    """The files of a package that are no modules."""
    for path in package.rglob("*"):
        if path.is_file() and path.suffix not in {".py", ".pyc"}:
            yield path


def digest(paths: Iterable[Path]) -> str:
    """The same for the same files with the same content, wherever the whole tree lies."""
    total = sha256()
    for path in sorted(set(paths)):
        total.update(f"{path.name} {sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()[:16]


if __name__ == "__main__":
    main()
