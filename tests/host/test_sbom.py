# SPDX-License-Identifier: GPL-2.0-or-later
"""The list in each image of all that it is made of: nothing is missing in it, and nothing more."""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

import pytest

from host.test_images import SITE_PACKAGES, in_image, inspect
from machines import ROOT, Machine
from vdsm_contract.version import RELEASE

NAMES = ("vdsm", "supervdsm")


@dataclass(frozen=True)
class Image:
    """An image's list, and what is in it."""

    name: str
    labels: dict[str, str]
    sbom: dict[str, Any]
    debian: set[str]
    python: set[str]

    def listed(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the components of a kind of package, by purl without what follows a question
        mark."""
        found = [one for one in self.sbom["components"] if one.get("purl", "").startswith(kind)]
        assert len({one["bom-ref"] for one in found}) == len(found)
        return {unquote(one["purl"].partition("?")[0]): one for one in found}


@pytest.fixture(scope="module", params=NAMES)
def image(request: pytest.FixtureRequest, host: Machine) -> Image:
    return _read(host, request.param)


@cache
def _read(host: Machine, name: str) -> Image:
    labels = inspect(host, name)["Labels"]
    text = in_image(
        host,
        name,
        f"cat {labels['org.ovirt.vdsm.sbom']}; echo ==; "
        "dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version} ${Architecture}\\n'; echo ==; "
        f"grep -hE '^(Name|Version): ' {SITE_PACKAGES}/*.dist-info/METADATA",
    )
    sbom, debian, python = text.split("\n==\n")
    return Image(
        name,
        labels,
        json.loads(sbom),
        {line.removeprefix("ii").strip() for line in debian.splitlines() if line},
        set(re.findall(r"^Name: (.*)\nVersion: (.*)$", python, re.MULTILINE)),
    )


def test_it_lists_each_package_of_debian_and_no_other(image: Image) -> None:
    listed = {
        f"{one['name']} {one['version']} {re.search('arch=([a-z0-9]+)', one['purl'])[1]}"  # type: ignore[index]
        for one in image.listed("pkg:deb/debian/").values()
    }
    assert len(listed) > 50
    assert listed == image.debian


def test_it_lists_each_python_package_and_no_other(image: Image) -> None:
    ours = image.listed("pkg:generic/")
    listed = {**image.listed("pkg:pypi/"), **ours}
    assert {(one["name"], one["version"]) for one in listed.values()} == image.python
    assert [one["version"] for one in ours.values()] == [RELEASE]


def test_each_wheel_is_one_that_the_lock_file_allows(image: Image) -> None:
    lock = (ROOT / f"requirements/{image.name}.lock").read_text()
    for purl, one in image.listed("pkg:pypi/").items():
        (digest,) = one["hashes"]
        pinned = purl.removeprefix("pkg:pypi/").replace("@", "==")
        section = re.search(rf"^{re.escape(pinned)} (?:.*\\\n)+.*\n", lock, re.MULTILINE)
        assert section, f"{pinned} is not in the lock file"
        assert digest["alg"] == "SHA-256"
        assert f"--hash=sha256:{digest['content']}" in section[0]


def test_it_says_of_which_commit_our_code_is(image: Image) -> None:
    (ours,) = image.listed("pkg:generic/").values()
    facts = {one["name"]: one["value"] for one in ours["properties"]}
    assert facts["vcs:revision"] == image.labels["org.opencontainers.image.revision"]
    assert image.sbom["metadata"]["timestamp"] == image.labels["org.opencontainers.image.created"]
    assert image.sbom["metadata"]["component"]["name"] == image.name


def test_the_sources_of_debian_s_packages_are_known(image: Image) -> None:
    for one in image.listed("pkg:deb/debian/").values():
        (source,) = (fact["value"] for fact in one["properties"] if fact["name"] == "debian:source")
        assert re.fullmatch(r"\S+ \S+", source)


def test_vdsm_tool_shows_the_list_of_what_runs(host: Machine, image: Image) -> None:
    piped = host.sh(f"vdsm-tool sbom {image.name}")
    assert json.loads(piped) == image.sbom
    named = host.sh(f"vdsm-tool sbom --text localhost/{image.name}:latest").splitlines()
    assert named[0].startswith(f"{image.name} {RELEASE}, image ")
    rows = [line.split()[:3] for line in named[3:]]
    assert [row[1:] for row in rows] == [
        [one["name"], one["version"]] for one in image.sbom["components"]
    ]
    assert {row[0] for row in rows} == {"os", "generic", "pypi", "deb"}


def test_nothing_of_what_made_it_is_left(host: Machine, image: Image) -> None:
    found = in_image(
        host, image.name, "find / -xdev -name make-sbom; find /build 2>/dev/null; true"
    )
    assert found.strip() == ""
