# SPDX-License-Identifier: GPL-2.0-or-later
"""`sbom`: which image is read and how, the table, and lists that are none."""

import json
from typing import Any

import pytest

from vdsm_tool import cli
from vdsm_tool.commands import sbom
from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host

ID = "0123456789ab" + "c" * 52
PATH = "/usr/share/sbom/vdsm.cdx.json"
RUNNING = "podman container inspect --format={{.Image}} vdsm"
READ = (
    "podman run --rm --pull=never --log-driver=none --network=none --user=65534:65534"
    f" --cap-drop=all --security-opt=no-new-privileges --read-only --entrypoint=cat {ID} -- {PATH}"
)

LIST: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "metadata": {"component": {"type": "container", "name": "vdsm", "version": "1.2"}},
    "components": [
        {"type": "operating-system", "name": "debian", "version": "13"},
        {
            "type": "library", "name": "msgspec", "version": "0.20",
            "purl": "pkg:pypi/msgspec@0.20",
            "licenses": [{"license": {"id": "BSD-3-Clause"}}],
        },
        {
            "type": "library", "name": "zlib1g", "version": "1:1.3",
            "purl": "pkg:deb/debian/zlib1g@1%3A1.3?arch=amd64",
            "licenses": [{"license": {"name": f"Licence-number-{n}"}} for n in range(9)],
        },
    ],
}  # fmt: skip


@pytest.fixture
def answers(answers: dict[str, str]) -> dict[str, str]:
    """A host whose vdsm runs the image ID; podman knows it by a name, too."""
    inspected = json.dumps([{"Id": ID, "Labels": {"org.ovirt.vdsm.sbom": PATH}, "Size": 1}])
    answers[RUNNING] = ID + "\n"
    answers[f"podman image inspect -- {ID}"] = inspected
    answers["podman image inspect -- localhost/vdsm:old"] = inspected
    answers[READ] = json.dumps(LIST)
    return answers


@pytest.fixture(autouse=True)
def this_host(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    monkeypatch.setattr(sbom, "this_host", lambda: host)


def table(capsys: pytest.CaptureFixture[str], image: str = "vdsm") -> list[str]:
    assert cli.main(["sbom", image, "--text"]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("image", ["vdsm", "localhost/vdsm:old"])
def test_a_person_sees_a_table(image: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert table(capsys, image) == [
        "vdsm 1.2, image 0123456789ab: 3 components",
        "",
        "KIND  COMPONENT  VERSION  LICENCE",
        "os    debian     13",
        "pypi  msgspec    0.20     BSD-3-Clause",
        "deb   zlib1g     1:1.3    Licence-number-0, Licence-number-1 and 7 more",
    ]


def test_a_program_gets_the_file_as_it_is(
    answers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    answers[READ] = text = json.dumps(LIST, indent=7) + "\n"
    assert cli.main(["sbom", "vdsm"]) == 0
    assert capsys.readouterr().out == text


def test_an_image_cannot_paint_on_the_terminal(
    answers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    bad = {"type": "li\x1b[2Jb", "name": "a\nb", "version": "\u202e1", "licenses": []}
    bad["licenses"] = [{"expression": "\x1b]0;x"}]
    answers[READ] = json.dumps({**LIST, "components": [bad]})
    assert table(capsys)[3] == "li?[2Jb  a?b        ?1       ?]0;x"


@pytest.mark.parametrize("labels", [None, {}, {"org.ovirt.vdsm.sbom": "--help"}])
def test_an_image_without_a_list_says_so(
    answers: dict[str, str], labels: object, capsys: pytest.CaptureFixture[str]
) -> None:
    answers[f"podman image inspect -- {ID}"] = json.dumps([{"Id": ID, "Labels": labels}])
    assert cli.main(["sbom", "vdsm"]) == 1
    assert "label org.ovirt.vdsm.sbom" in capsys.readouterr().err


@pytest.mark.parametrize("image", ["vdsm", "localhost/vdsm:gone"])
def test_an_image_that_is_not_there_has_a_way_out(
    image: str, answers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    del answers[RUNNING]
    assert cli.main(["sbom", image]) != 0
    assert "`podman images`" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    ["", "[]", "no JSON", json.dumps({**LIST, "bomFormat": "SPDX"}), json.dumps({"bomFormat": 1})],
)
def test_what_is_no_list_is_not_shown(text: str) -> None:
    with pytest.raises(ToolError, match="The list in vdsm"):
        sbom.parse(text, "vdsm")
