# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian trees made by mmdebstrap, built once and kept by what went into them."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from testenv import config
from testenv.commands import run
from testenv.locks import locked
from testenv.report import step

FORMAT = 1
"""Counted up when the way of building changes, so that what is cached is built again."""

LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a tree contains."""

    name: str
    packages: tuple[str, ...]
    about_seconds: int
    """How long it takes, for the person who waits."""
    early_files: Mapping[str, str] = field(default_factory=dict)
    """Path to content, put there before the packages are configured."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Path to content, put there last."""
    masked: tuple[str, ...] = ()
    """systemd units that must not start."""
    enabled: Mapping[str, str] = field(default_factory=dict)
    """Unit to the target that wants it."""
    suite: str = config.SUITE
    format: int = FORMAT

    def digest(self) -> str:
        content = json.dumps({**asdict(self), "about_seconds": 0}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def tree(recipe: Recipe) -> Path:
    """Return the tree of `recipe`, building it first if it is not there. Never write into it."""
    target = config.CACHE / "trees" / f"{recipe.name}-{recipe.digest()}"
    if target.is_dir():
        return target
    lock = target.with_name(f".{recipe.name}.lock")
    with locked(lock, f"another build of the {recipe.name} tree"):
        if not target.is_dir():
            with (
                step(
                    f"building the {config.SUITE_NAME} tree for the {recipe.name} "
                    f"(about {recipe.about_seconds} s)"
                ),
                built_aside(target) as unfinished,
            ):
                _build(recipe, unfinished)
    return target


@contextmanager
def built_aside(target: Path) -> Iterator[Path]:
    """Give a path to build at, renamed to `target` when that went well, removed when not."""
    # Trees hold set-uid programs: nobody else looks in.
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        unfinished = Path(scratch) / target.name
        yield unfinished
        unfinished.rename(target)


def _build(recipe: Recipe, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="vdsm-testenv-") as scratch:
        early = Path(scratch)
        early.chmod(0o755)
        write_files(early, recipe.early_files)
        run(
            "mmdebstrap",
            "--variant=minbase",
            "--format=directory",
            f"--include={','.join(recipe.packages)}",
            '--aptopt=APT::Install-Recommends "false"',
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
            f'--essential-hook=cp -a {early}/. "$1"/',
            recipe.suite,
            target,
        )
    # The outer machine's own are copied by mmdebstrap; a machine writes its own.
    for copied in ("etc/hostname", "etc/resolv.conf", "etc/machine-id"):
        (target / copied).unlink(missing_ok=True)
    write_files(target, {"/etc/resolv.conf": "", **recipe.files})
    # Empty, not missing: missing would mean a first boot, which enables every unit there is.
    write_files(target, {"/etc/machine-id": ""})
    units = target / "etc/systemd/system"
    for unit in recipe.masked:
        _link(units / unit, "/dev/null")
    for unit, wanted_by in recipe.enabled.items():
        _link(units / f"{wanted_by}.wants" / unit, f"/etc/systemd/system/{unit}")
    shutil.rmtree(target / "var/log/apt", ignore_errors=True)
    # Last, to be newer than /usr: otherwise each boot rebuilds caches (systemd-update-done(8)).
    write_files(target, {"/etc/.updated": "", "/var/.updated": ""})


def _link(path: Path, destination: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(destination)


def write_files(root: Path, files: Mapping[str, str]) -> None:
    """Write path-to-content below `root`; a content that starts with ``#!`` becomes executable."""
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755 if content.startswith("#!") else 0o644)
