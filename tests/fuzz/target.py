# SPDX-License-Identifier: GPL-2.0-or-later
"""What a target is, and how the targets are found."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
DICTIONARIES = HERE / "dictionaries"

OURS = ("vdsm_contract", "supervdsm", "vdsm", "vdsm_tool")
"""The packages that are under test."""


class Violation(AssertionError):
    """A reader did what it must not: the finding of a run."""


def require(condition: object, text: str, *shown: object) -> None:
    """Raise Violation unless `condition` is true. `shown` takes the places of the braces of `text`,
    and is made into words only then: a million runs are to take minutes."""
    if not condition:
        raise Violation(text.format(*shown) if shown else text)


@dataclass(frozen=True)
class Target:
    """A reader under test.

    `run` takes any bytes. It returns when the reader behaved: it accepted the input and the oracle
    of the module agrees, or refused it with an error that it declares. Anything that it raises is a
    finding. `seeds` are real inputs by name, `json` tells that they are JSON behind a prefix of
    `prefix` bytes. No input is longer than `most` bytes.
    """

    name: str
    about: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Mapping[str, bytes]]
    most: int
    json: bool
    prefix: int

    @property
    def corpus(self) -> Path:
        return CORPUS / self.name

    @property
    def dictionary(self) -> Path:
        return DICTIONARIES / f"{self.name}.dict"

    def inputs(self) -> Iterator[tuple[str, bytes]]:
        """The inputs that are kept, by name, in the order of their names."""
        for path in sorted(self.corpus.iterdir()):
            yield path.name, path.read_bytes()


def names() -> list[str]:
    """The names of all targets, sorted."""
    modules = (path.stem for path in (HERE / "targets").glob("*.py"))
    return sorted(name for name in modules if not name.startswith("_"))


@cache
def load(name: str) -> Target:
    """Import a target. Raises KeyError when there is none of that name."""
    if name not in names():
        raise KeyError(name)
    module = importlib.import_module(f"fuzz.targets.{name}")
    return Target(
        name=name,
        about=" ".join((module.__doc__ or "").partition("\n\n")[0].split()),
        run=module.run,
        seeds=module.seeds,
        most=getattr(module, "MOST", 2048),
        json=getattr(module, "IS_JSON", False),
        prefix=getattr(module, "PREFIX", 0),
    )
