# SPDX-License-Identifier: GPL-2.0-or-later
"""Every target of the fuzzing, briefly and without atheris: its corpus, and changes of it.

What crashed once is in the corpus as `crash-*`, so it is tried here for ever. The long runs are
`containers/fuzz`; see docs/fuzzing.md.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import target
from fuzz.mutate import mutate
from fuzz.targets._file import InputFile

CHANGES = 25
"""Of inputs, for each target: the whole takes a second or two."""
CORPORA_BYTES = 300_000
"""Of all corpora together: they are in everybody's clone."""

# A certificate with an odd serial number is warned of.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("name", target.names())
def test_the_corpus_of(name: str) -> None:
    found = target.load(name)
    inputs = dict(found.inputs())
    assert set(found.seeds()) <= set(inputs), "containers/fuzz --seed writes them"
    for data in inputs.values():
        found.run(data)


@pytest.mark.parametrize("name", target.names())
def test_changed_inputs_of(name: str) -> None:
    found = target.load(name)
    corpus = [data for _, data in found.inputs()]

    @settings(max_examples=CHANGES, database=None)
    @given(data=st.sampled_from(corpus), seed=st.integers(0, 2**32 - 1))
    def check(data: bytes, seed: int) -> None:
        rng = random.Random(seed)
        found.run(mutate(data, rng, most=found.most, is_json=found.json, prefix=found.prefix))

    check()


def test_nothing_at_all_is_taken_by_every_target() -> None:
    for name in target.names():
        target.load(name).run(b"")


def test_the_corpora_are_small() -> None:
    sizes = [path.stat().st_size for path in target.CORPUS.rglob("*") if path.is_file()]
    assert sum(sizes) < CORPORA_BYTES


def test_each_corpus_and_dictionary_has_its_target() -> None:
    known = set(target.names())
    assert {path.name for path in target.CORPUS.iterdir()} == known
    assert {path.stem for path in target.DICTIONARIES.iterdir()} <= known


def test_a_target_that_breaks_its_oracle_is_noticed() -> None:
    with pytest.raises(target.Violation, match=r"^'a' is not 1$"):
        target.require(False, "{!r} is not {}", "a", 1)


def test_a_file_for_a_reader_holds_no_more_than_was_put_last() -> None:
    file = InputFile("unit/file", 0o600)
    for content in (b"longer", b"short", b""):
        file.put(content)
        assert file.path.read_bytes() == content
    assert file.path.stat().st_mode & 0o777 == 0o600
