# SPDX-License-Identifier: GPL-2.0-or-later
"""Volumes through vdsm's API on local storage, against the bare file operations that they need.

Runs on a host with the pair, in a container of vdsm's image that also sees /srv. VOLUMES says
with how many volumes the growth is measured.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import engine as front
from measure import Section

from vdsm.client import CallError, Client, mutual_tls
from vdsm.jsonrpc.tls import Identity
from vdsm_contract.paths import PKI_DIR

DIRECTORY = Path("/srv/bench-storage")
BARE = Path("/srv/bench-bare")
MIB = 1 << 20
SECTION = Section("storage", "file domain")
ROUNDS = 20
READS = 5
COUNTS = [int(word) for word in os.environ.get("VOLUMES", "50 500 5000").split()]

META = b"".join(
    b"%s=%s\n" % (key, b"x" * 20)
    for key in b"CAP CTIME DESCRIPTION DISKTYPE DOMAIN FORMAT GEN IMAGE LEGALITY PUUID".split()
)


def durable(path: Path, data: bytes) -> None:
    """Write a file as metadata has to be written: new, fsync, rename, fsync of the directory."""
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(data)
        os.fsync(file.fileno())
    new.rename(path)
    sync(path.parent)


def sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def bare_create(image: Path, volume: str) -> None:
    """What a volume is at least: a directory, a sparse file, its metadata, all on the disk."""
    image.mkdir()
    with (image / volume).open("xb") as file:
        file.truncate(MIB)
        os.fsync(file.fileno())
    durable(image / f"{volume}.meta", META)
    sync(image.parent)


def bare_delete(image: Path) -> None:
    gone = image.with_name(f"_remove_me_{image.name}")
    image.rename(gone)
    sync(gone.parent)
    shutil.rmtree(gone)
    sync(gone.parent)


def times(work: Callable[[int], object], count: int) -> list[float]:
    taken = []
    for index in range(count):
        start = time.monotonic()
        work(index)
        taken.append(time.monotonic() - start)
    return taken


@contextmanager
def serving() -> Iterator[front.Engine]:
    """An engine with a fresh domain, of which this host is SPM."""
    DIRECTORY.mkdir()
    os.chown(DIRECTORY, 36, 36)
    identity = Identity.below(PKI_DIR)
    with Client(mutual_tls("localhost", identity=identity), timeout=300) as client:

        def call(verb: str, params: dict[str, Any]) -> Any:
            try:
                return client.call_with(verb, params)
            except CallError as error:
                raise front.Refused(verb, error.code, error.message) from error

        engine = front.Engine(call, front.LOCALFS, {"connection": str(DIRECTORY)}, poll_s=0.005)
        engine.begin()
        try:
            yield engine
        finally:
            engine.finish()
            shutil.rmtree(DIRECTORY)


def changes(engine: front.Engine) -> None:
    """Volume.create and Image.delete, task and all, one after the other."""
    ids = [(front.new_id(), front.new_id()) for _ in range(ROUNDS)]
    ours = SECTION.show(
        "Volume.create RAW, to the end of its task",
        times(lambda n: engine.create_volume(*ids[n]), ROUNDS),
    )
    ours += SECTION.show(
        "Image.delete, to the end of its task",
        times(
            lambda n: engine.do("Image.delete", imageID=ids[n][0], postZero=False, force=False),
            ROUNDS,
        ),
    )
    BARE.mkdir()
    bare = SECTION.show(
        "bare create", times(lambda n: bare_create(BARE / ids[n][0], ids[n][1]), ROUNDS)
    ) + SECTION.show("bare delete", times(lambda n: bare_delete(BARE / ids[n][0]), ROUNDS))
    shutil.rmtree(BARE)
    print(f"{'create and delete':<44} {1 / ours:9.1f} a second, bare {1 / bare:.1f}")
    SECTION.ratio("create and delete / bare", ours, bare)


def growth(engine: front.Engine) -> None:
    """Answers about a domain with more and more volumes. The volumes are laid by hand from one that
    vdsm made, as making thousands by tasks takes an hour."""
    image, volume = front.new_id(), front.new_id()
    engine.create_volume(image, volume)
    [images] = DIRECTORY.glob(f"*/images/{image}/..")
    images = images.resolve()
    meta = (images / image / f"{volume}.meta").read_bytes()
    made = 1
    for count in COUNTS:
        for _ in range(count - made):
            other, name = front.new_id(), front.new_id()
            lay(images / other, name, meta.replace(image.encode(), other.encode()))
        made = count
        about(engine, images, count)


def lay(image: Path, volume: str, meta: bytes) -> None:
    """Put a volume there, as vdsm's own."""
    image.mkdir()
    (image / f"{volume}.meta").write_bytes(meta)
    with (image / volume).open("xb") as file:
        file.truncate(MIB)
    for path in (image, *image.iterdir()):
        os.chown(path, 36, 36)


def about(engine: front.Engine, images: Path, count: int) -> None:
    """The answers with `count` volumes, and the file operations behind them."""
    domain = {"storagedomainID": engine.domain}

    def volumes(_: int) -> None:
        blank = {"storagepoolID": front.BLANK, "imageID": front.BLANK}
        found = engine.call("StorageDomain.getVolumes", domain | blank)
        assert len(found) == count, len(found)

    def dump(_: int) -> None:
        found = engine.call("StorageDomain.dump", {"sd_id": engine.domain})
        assert len(found["volumes"]) == count, len(found["volumes"])

    def bare_names(_: int) -> None:
        assert sum(len(list(os.scandir(entry))) for entry in os.scandir(images)) == 2 * count

    def bare_dump(_: int) -> None:
        for entry in os.scandir(images):
            for file in os.scandir(entry):
                Path(file).stat()
                if file.name.endswith(".meta"):
                    Path(file).read_bytes()

    ours = SECTION.show("getVolumes", times(volumes, READS), count)
    bare = SECTION.show("bare: list each image's directory", times(bare_names, READS), count)
    SECTION.ratio("getVolumes / bare", ours, bare, count)
    ours = SECTION.show("dump", times(dump, READS), count)
    bare = SECTION.show("bare: list, stat all, read each .meta", times(bare_dump, READS), count)
    SECTION.ratio("dump / bare", ours, bare, count)


if __name__ == "__main__":
    with serving() as served:
        changes(served)
        growth(served)
