# SPDX-License-Identifier: GPL-2.0-or-later
"""Which two images are a pair; each refusal names the label, both values and the way out."""

import pytest

from vdsm_tool.errors import ToolError
from vdsm_tool.upgrade import vet
from vdsm_tool.upgrade.model import Pair
from vdsm_tool.upgrade.vet import Candidate

LABELS = {vet.VERSION: "1.2", vet.CONTRACT: "7", vet.REVISION: "abc"}


def image(name: str, architecture: str = "amd64", **changed: str | None) -> Candidate:
    """Return the image of `name`, with labels changed or (None) taken away."""
    known = {"title": vet.TITLE, "version": vet.VERSION, "contract": vet.CONTRACT}
    known["revision"] = vet.REVISION
    labels: dict[str, str | None] = {**LABELS, vet.TITLE: name}
    labels |= {known[word]: value for word, value in changed.items()}
    kept = {label: value for label, value in labels.items() if value is not None}
    return Candidate(f"registry/{name}:1", {"vdsm": "1", "supervdsm": "2"}[name] * 64, kept,
                     architecture)  # fmt: skip


def refusal(*images: Candidate) -> ToolError:
    with pytest.raises(ToolError) as caught:
        vet.pair(images, "amd64")
    assert caught.value.hint
    return caught.value


def test_a_pair_in_either_order() -> None:
    wanted = Pair("1" * 64, "2" * 64, "1.2", "7", "abc", "amd64")
    assert vet.pair([image("vdsm"), image("supervdsm")], "amd64") == wanted
    assert vet.pair([image("supervdsm"), image("vdsm")], "amd64") == wanted


@pytest.mark.parametrize(("label", "full"), [("version", vet.VERSION), ("contract", vet.CONTRACT)])
def test_labels_that_differ(label: str, full: str) -> None:
    error = refusal(image("vdsm", **{label: "9"}), image("supervdsm"))
    ours = LABELS[full]
    assert f"{full} is 9 in registry/vdsm:1 (vdsm) and {ours} in registry" in error.sentence


@pytest.mark.parametrize(
    ("label", "full"), [("version", vet.VERSION), ("contract", vet.CONTRACT), ("title", vet.TITLE)]
)
@pytest.mark.parametrize("value", [None, ""])
def test_labels_that_are_missing(label: str, full: str, value: str | None) -> None:
    error = refusal(image("vdsm", **{label: value}), image("supervdsm"))
    assert f"has no label {full}" in error.sentence


@pytest.mark.parametrize("value", ["../../x", "a b", "-1", "1\n", "1" * 65, "é"])
def test_labels_that_could_be_no_file_s_name(value: str) -> None:
    error = refusal(image("vdsm", version=value), image("supervdsm", version=value))
    assert repr(value) in error.sentence


def test_an_image_of_something_else() -> None:
    error = refusal(image("vdsm", title="nginx"), image("supervdsm"))
    assert f"{vet.TITLE} is 'nginx'" in error.sentence


def test_one_image_twice() -> None:
    assert "are both vdsm's image" in refusal(image("vdsm"), image("vdsm")).sentence
    assert "no image of supervdsm" in refusal(image("vdsm")).sentence
    assert "no image of vdsm and supervdsm" in refusal().sentence


def test_another_architecture() -> None:
    for pair in (
        (image("vdsm", "arm64"), image("supervdsm")),
        (image("vdsm"), image("supervdsm", "arm64")),
    ):
        sentence = refusal(*pair).sentence
        assert "another architecture: arm64; this host is amd64" in sentence


def test_two_revisions_are_both_told() -> None:
    images = [image("vdsm", revision="def"), image("supervdsm")]
    assert vet.pair(images, "amd64").revision == "def and abc"
    images = [image("vdsm", revision=None), image("supervdsm", revision="é\n")]
    assert vet.pair(images, "amd64").revision == ""
