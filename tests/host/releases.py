# SPDX-License-Identifier: GPL-2.0-or-later
"""Other releases of the pair, made in a test host from the one that it has, in a second each.

A release is the images `localhost/{vdsm,supervdsm}:NAME`: the host's own with a few lines of source
changed and other labels. Some of them are broken on purpose.
"""

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from machines import Machine
from vdsm_contract.version import RELEASE

HALVES: Final = ("vdsm", "supervdsm")
SITE: Final = "/opt/venv/lib/python3.13/site-packages"
DIRECTORY: Final = "/var/tmp/releases"
VERSION_LABEL: Final = "org.opencontainers.image.version"
CONTRACT_LABEL: Final = "org.ovirt.vdsm.contract"


@dataclass(frozen=True)
class Edit:
    """In the file `path` below site-packages, `new` takes the place of `old`, which is there
    once."""

    path: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        assert text.count(self.old) == 1, f"{self.path} has no longer one {self.old!r}"
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Half:
    """How an image differs from the host's own."""

    edits: tuple[Edit, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    architecture: str = ""


@dataclass(frozen=True)
class Release:
    """A pair. It may differ in more than its version."""

    name: str
    version: str = "0.1.1"
    vdsm: Half = Half()
    supervdsm: Half = Half()

    @property
    def references(self) -> tuple[str, str]:
        return f"localhost/vdsm:{self.name}", f"localhost/supervdsm:{self.name}"


def make(machine: Machine, release: Release) -> tuple[str, str]:
    """Make both images in the machine's store; return their references, vdsm's first."""
    version = Edit(
        "vdsm_contract/version.py",
        f'RELEASE: Final = "{RELEASE}"',
        f'RELEASE: Final = "{release.version}"',
    )
    for name, half in zip(HALVES, (release.vdsm, release.supervdsm), strict=True):
        whole = replace(
            half,
            edits=(version, *half.edits),
            labels={VERSION_LABEL: release.version, **half.labels},
        )
        _make(machine, f"localhost/{name}:{release.name}", f"localhost/{name}:latest", whole)
    return release.references


def remove(machine: Machine, release: Release) -> None:
    """Take the names of a release away; its images go when nothing uses them."""
    machine.run("podman", "untag", release.references[0], check=False)
    machine.run("podman", "untag", release.references[1], check=False)


def _make(machine: Machine, reference: str, base: str, half: Half) -> None:
    """Build an image of changed files over `base`, without running anything in it."""
    base_id = image_id(machine, base)
    files = dict(_edited(machine, base_id, half.edits))
    lines = [f"FROM {base_id}", "COPY root/ /"]
    lines += [f'LABEL {key}="{value}"' for key, value in half.labels.items()]
    context = f"{DIRECTORY}/context"
    machine.sh(f"rm -rf {context} && mkdir -p {context}")
    archive = _tar({"Containerfile": "\n".join(lines), **{f"root{p}": t for p, t in files.items()}})
    machine.run("tar", "-C", context, "-xf", "-", stdin=archive)
    options = ["--quiet", "--pull=never", "--network=none", f"--tag={reference}"]
    if half.architecture:
        # From the cache it would come with the architecture of the first build.
        options += ["--no-cache", "--layers=false", f"--arch={half.architecture}"]
    machine.run("podman", "build", *options, context)


def _edited(machine: Machine, image: str, edits: Iterable[Edit]) -> Iterator[tuple[str, str]]:
    """Give path and text of each file that differs. Python is to compile it anew."""
    texts: dict[str, str] = {}
    for edit in edits:
        path = f"{SITE}/{edit.path}"
        if path not in texts:
            cat = ("podman", "run", "--rm", "--network=none", "--entrypoint=/bin/cat", image, path)
            texts[path] = machine.run(*cat).stdout
        texts[path] = edit.apply(texts[path])
    for path, text in texts.items():
        yield path, text
        # What is compiled says that nobody needs to look at the source. An empty file is no code.
        source = Path(path)
        yield f"{source.parent}/__pycache__/{source.stem}.cpython-313.pyc", ""


def _tar(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(text.encode()), 0o644
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def image_id(machine: Machine, reference: str) -> str:
    """The id of an image, 64 hexadecimal digits."""
    done = machine.run("podman", "image", "inspect", "--format={{.Id}}", reference)
    return done.stdout.strip()


# --- releases that are broken --------------------------------------------------------------------


CRASHES: Final = Release(
    "crashes",
    supervdsm=Half(
        (
            Edit(
                "supervdsm/main.py",
                "    systemd.log_to_journal(options.log_level)\n",
                "    raise SystemExit(3)\n",
            ),
        )
    ),
)
"""supervdsm ends as soon as it is started."""

HANGS: Final = Release(
    "hangs",
    vdsm=Half(
        (
            Edit(
                "vdsm/main.py",
                "    log_to_journal(arguments.log_level)\n",
                "    __import__('time').sleep(3600)\n",
            ),
        )
    ),
)
"""vdsm never says READY=1."""

SKEWED_LABEL: Final = Release("skewed-label", supervdsm=Half(labels={CONTRACT_LABEL: "9"}))
"""The labels of the two do not agree."""

SKEWED_CODE: Final = Release(
    "skewed-code",
    supervdsm=Half(
        (
            Edit(
                "vdsm_contract/version.py",
                'CONTRACT_VERSION: Final = "',
                'CONTRACT_VERSION: Final = "9',
            ),
        )
    ),
)
"""The labels agree, and the programs refuse to talk."""

FOREIGN: Final = Release(
    "foreign", vdsm=Half(architecture="s390x"), supervdsm=Half(architecture="s390x")
)
"""For machines of another kind."""

OTHER_VERSION: Final = Release("other-version", vdsm=Half(labels={VERSION_LABEL: "0.1.2"}))
"""Two halves of two releases."""

UNTRUE: Final = Release(
    "untrue",
    vdsm=Half(
        (
            Edit(
                "vdsm_contract/version.py",
                'RELEASE: Final = "0.1.1"',
                'RELEASE: Final = "0.1.1+other"',
            ),
        )
    ),
)
"""vdsm says another version than its label."""
