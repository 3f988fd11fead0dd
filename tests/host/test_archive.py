# SPDX-License-Identifier: GPL-2.0-or-later
"""Archives with the real images, and a podman with an empty store of its own to load them into."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from machines import ROOT, Machine
from unit.vdsm_tool.upgrade.archives import Parts, configuration
from vdsm_contract.version import CONTRACT_VERSION, RELEASE

WORK = "/var/tmp/archives"
PUBLIC_KEY = "/etc/vdsm/upgrade.pub"

NAMES = ("localhost/vdsm:latest", "localhost/supervdsm:latest")


@pytest.fixture(scope="module")
def directory(host: Machine) -> Iterator[str]:
    """A directory of the host with `a.tar`, an archive of the host's images."""
    host.sh(f"mkdir -p {WORK}")
    yield WORK
    host.sh(f"rm -rf {WORK}")


@pytest.fixture(scope="module")
def made(host: Machine, directory: str) -> dict[str, Any]:
    """What `create` said of `a.tar`."""
    done = host.sh(f"cd {directory} && vdsm-tool archive create a.tar {' '.join(NAMES)}")
    report: dict[str, Any] = json.loads(done)
    return report


@dataclass(frozen=True)
class Podman:
    """Another podman of the host, whose store is a small file system with nothing in it."""

    host: Machine
    name: str

    @property
    def store(self) -> str:
        return f"/var/tmp/{self.name}-store"

    @property
    def run(self) -> str:
        return f"/run/{self.name}-podman"

    @property
    def command(self) -> str:
        return f"podman --root={self.store}/root --runroot={self.run}/run --storage-driver=overlay"

    def load(self, file: str) -> "subprocess.CompletedProcess[str]":
        """Load an archive into it, by the command that operators use."""
        command = f"vdsm-tool archive load {file}"
        script = f"mount --bind {self.run} /run/podman && cd {WORK} && exec {command}"
        return self.host.run("unshare", "--mount", "sh", "-ec", script, timeout=300, check=False)

    def images(self) -> dict[str, list[str]]:
        """Return the names that it has, by the images' ids."""
        listed = json.loads(self.host.sh(f"{self.command} images --all --format=json") or "[]")
        return {image["Id"]: image.get("Names") or [] for image in listed}

    def refused(self, file: str) -> str:
        """Load an archive that must be refused and leave nothing; return what is said."""
        done = self.load(file)
        assert done.returncode == 1, done.stdout + done.stderr
        assert self.images() == {}
        said = done.stderr[done.stderr.index("vdsm-tool: ") :]
        assert "\n  -> " in said, said
        return said


@contextmanager
def empty_podman(host: Machine, name: str, mount_options: str) -> Iterator[Podman]:
    """Run such a podman."""
    podman, unit = Podman(host, name), f"{name}-podman"
    host.sh(
        f"mkdir -p {podman.store} {podman.run} && "
        f"mount -t tmpfs -o {mount_options} none {podman.store} && "
        f"systemd-run --quiet --collect --unit={unit} --property=Delegate=yes "
        f"{podman.command} system service --time=0 unix://{podman.run}/podman.sock"
    )
    host.wait(f"[ -S {podman.run}/podman.sock ]")
    try:
        yield podman
    finally:
        # podman leaves a mount of its graph root onto itself.
        host.sh(
            f"systemctl stop {unit}; umount -l {podman.store}/root/overlay 2>/dev/null || true; "
            f"umount -l {podman.store}; rmdir {podman.store}; rm -rf {podman.run}"
        )


def edit(host: Machine, script: str) -> None:
    """Run a Python script in the directory of the archives."""
    host.run("sh", "-ec", f"cd {WORK} && python3 -", stdin=script.encode())


@pytest.fixture(scope="module")
def podman(host: Machine) -> Iterator[Podman]:
    with empty_podman(host, "empty", "size=700m") as running:
        yield running


def test_create_takes_images_of_a_read_only_store(host: Machine, made: dict[str, Any]) -> None:
    ids = [host.sh(f"podman image inspect -f '{{{{.Id}}}}' {name}") for name in NAMES]
    assert [made["pair"]["vdsm"], made["pair"]["supervdsm"]] == ids
    assert made["size"] == int(host.sh(f"stat -c %s {WORK}/a.tar"))
    assert not made["signed"]


def test_create_takes_the_pinned_pair(host: Machine, made: dict[str, Any]) -> None:
    pinned = json.loads(host.sh("cat /etc/vdsm/pins/current/pair.json"))
    report = json.loads(host.sh(f"vdsm-tool archive create {WORK}/pinned.tar"))
    host.sh(f"rm {WORK}/pinned.tar")
    assert report["pair"] == pinned


def test_verify_says_the_same(host: Machine, made: dict[str, Any]) -> None:
    assert json.loads(host.sh(f"cd {WORK} && vdsm-tool archive verify a.tar")) == made
    text = host.sh(f"vdsm-tool archive verify --text {WORK}/a.tar")
    assert f"contract {made['pair']['contract']}" in text
    assert "signature     none" in text


def test_where_images_are_built_the_same_is_made(host: Machine, tmp_path: Path) -> None:
    build = (ROOT / "containers/archive", tmp_path / "built.tar")
    subprocess.run(build, check=True, capture_output=True, timeout=400)
    host.copy_in(tmp_path / "built.tar", f"{WORK}/built.tar")
    report = json.loads(host.sh(f"vdsm-tool archive verify {WORK}/built.tar; rm {WORK}/built.tar"))
    pair = report["pair"]
    assert (pair["version"], pair["contract"]) == (RELEASE, CONTRACT_VERSION)


def test_a_changed_byte(host: Machine, made: dict[str, Any], podman: Podman) -> None:
    host.sh(f"cp {WORK}/a.tar {WORK}/b.tar")
    edit(host, "f = open('b.tar', 'r+b'); f.seek(100_000_000); b = f.read(1)[0] ^ 1; "
         "f.seek(100_000_000); f.write(bytes([b]))")  # fmt: skip
    assert "it was changed or damaged" in podman.refused("b.tar")


def test_cut_short(host: Machine, made: dict[str, Any], podman: Podman) -> None:
    host.sh(f"head -c 150000000 {WORK}/a.tar >{WORK}/b.tar")
    assert "it is cut short within images.tar" in podman.refused("b.tar")


def test_another_architecture(
    host: Machine, directory: str, podman: Podman, tmp_path: Path
) -> None:
    vdsm, supervdsm = (configuration(name, "s390x") for name in ("vdsm", "supervdsm"))
    parts = Parts(vdsm=vdsm, supervdsm=supervdsm, said={"architecture": "s390x"})
    host.copy_in(parts.write(tmp_path / "b.tar"), f"{directory}/b.tar")
    assert "another architecture: s390x; this host is" in podman.refused("b.tar")


def test_a_changed_layer_of_which_the_manifest_knows(
    host: Machine, made: dict[str, Any], podman: Podman
) -> None:
    # Whoever changed it made the manifest say so. The ids of the images still tell podman.
    edit(
        host,
        """\
import hashlib, io, json, tarfile
with tarfile.open("a.tar") as a:
    said = json.load(a.extractfile("manifest.json"))
    images = bytearray(a.extractfile("images.tar").read())
images[100_000_000] ^= 1
said["files"]["images.tar"]["sha256"] = hashlib.sha256(images).hexdigest()
with tarfile.open("b.tar", "w", format=tarfile.USTAR_FORMAT) as b:
    for name, data in ("manifest.json", json.dumps(said).encode()), ("images.tar", images):
        info = tarfile.TarInfo(name)
        info.size = len(data)
        b.addfile(info, io.BytesIO(data))
""",
    )
    assert "podman cannot load the images: " in podman.refused("b.tar")


def test_a_file_that_is_not_there(host: Machine, podman: Podman) -> None:
    assert f"There is no file {WORK}/gone.tar" in podman.refused(f"{WORK}/gone.tar")


# --- registries -------------------------------------------------------------------------------

REGISTRY = "127.0.0.1:5000"
REGISTRY_CONF = "/etc/containers/registries.conf.d/archive-test.conf"

SERVER = """\
import http.server, json, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        _, _, name, *rest = self.path.split("/") + [""]
        kind, which = rest[0], rest[1] if len(rest) > 1 else ""
        wanted = "manifest.json" if kind == "manifests" else which.removeprefix("sha256:")
        file = pathlib.Path(sys.argv[1], name, wanted)
        if name and not file.is_file():
            return self.send_error(404)
        content = file.read_bytes() if name else b"{}"
        self.send_response(200)
        said = json.loads(content)["mediaType"] if kind == "manifests" else "application/json"
        self.send_header("Content-Type", said)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)
    do_HEAD = do_GET
http.server.ThreadingHTTPServer(("127.0.0.1", 5000), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def registry(host: Machine, directory: str) -> Iterator[None]:
    """A registry of images that podman does not have: vdsm and supervdsm 9.1, supervdsm-old."""
    host.sh(f"mkdir -p {directory}/registry")
    for name, version in (("vdsm", "9.1"), ("supervdsm", "9.1"), ("supervdsm-old", "9.0")):
        base, built = name.removesuffix("-old"), f"localhost/for-registry/{name}"
        build = f"podman build --quiet --pull=never --tag={built} -f - {directory}/registry"
        lines = f"FROM localhost/{base}:latest\nLABEL org.opencontainers.image.version={version}\n"
        host.run("sh", "-c", build, stdin=lines.encode())
        host.sh(f"podman push -q {built} dir:{directory}/registry/{name} && podman rmi {built}")
    host.run("sh", "-c", f"cat >{directory}/server.py", stdin=SERVER.encode())
    host.sh(
        f"printf '[[registry]]\nlocation = \"{REGISTRY}\"\ninsecure = true\n' >{REGISTRY_CONF}; "
        f"systemd-run --quiet --collect --unit=test-registry "
        f"python3 {directory}/server.py {directory}/registry"
    )
    host.wait("python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 5000))'")
    yield
    host.sh(f"systemctl stop test-registry; rm {REGISTRY_CONF}")


def ids(host: Machine) -> set[str]:
    return set(host.sh("podman images --all --quiet --no-trunc").split())


def create(host: Machine, *names: str) -> "subprocess.CompletedProcess[str]":
    command = ("vdsm-tool", "archive", "create", f"{WORK}/pulled.tar")
    return host.run(*command, *(f"{REGISTRY}/{name}" for name in names), check=False)


def test_references_are_pulled(host: Machine, registry: None) -> None:
    before = ids(host)
    done = create(host, "supervdsm:9.1", "vdsm:9.1")
    assert done.returncode == 0, done.stderr
    assert "Copying blob" in done.stderr
    pair = json.loads(done.stdout)["pair"]
    assert pair["version"] == "9.1"
    assert ids(host) - before == {f"sha256:{pair[name]}" for name in ("vdsm", "supervdsm")}
    host.sh(f"podman rmi {pair['vdsm']} {pair['supervdsm']}; rm {WORK}/pulled.tar")


def test_what_was_pulled_and_is_refused_is_removed_again(host: Machine, registry: None) -> None:
    before = ids(host)
    done = create(host, "supervdsm-old:9.0", "vdsm:9.1")
    assert done.returncode == 1
    assert "org.opencontainers.image.version is 9.1 in " in done.stderr
    assert "and 9.0 in " in done.stderr
    assert ids(host) == before


def test_what_a_registry_does_not_have_is_told(host: Machine, registry: None) -> None:
    done = create(host, "vdsm:9.1", "gone:1")
    assert done.returncode == 1
    assert f"podman cannot pull {REGISTRY}/gone:1: " in done.stderr


# --- signatures -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory, host: Machine, directory: str) -> Iterator[None]:
    """The host wants the signature of `ours`; there are the secret keys `ours` and `theirs`."""
    place = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        command = ("minisign", "-G", "-W", "-p", f"{place}/{name}.pub", "-s", f"{place}/{name}")
        subprocess.run(command, check=True, capture_output=True)
        host.copy_in(place / name, f"{directory}/{name}")
    host.copy_in(place / "ours.pub", PUBLIC_KEY)
    yield
    host.sh(f"rm -f {PUBLIC_KEY}")


def sign(host: Machine, key: str) -> None:
    host.sh(f"cd {WORK} && vdsm-tool archive create {key}.tar {' '.join(NAMES)} --sign {key}")


def test_a_missing_signature(
    host: Machine, made: dict[str, Any], keys: None, podman: Podman
) -> None:
    assert "not signed, and this host wants a signature" in podman.refused("a.tar")


def test_the_signature_of_another_key(host: Machine, keys: None, podman: Podman) -> None:
    sign(host, "theirs")
    assert "its signature is wrong" in podman.refused("theirs.tar")
    host.sh(f"rm {WORK}/theirs.tar")


def test_the_right_signature(host: Machine, made: dict[str, Any], keys: None) -> None:
    sign(host, "ours")
    report = json.loads(host.sh(f"vdsm-tool archive verify {WORK}/ours.tar"))
    assert report["signed"]
    assert report["signer"].startswith(f"vdsm {made['pair']['version']}, contract ")
    assert report["pair"] == made["pair"]


# --- space ------------------------------------------------------------------------------------


@pytest.fixture
def no_key(host: Machine) -> None:
    host.sh(f"rm -f {PUBLIC_KEY}")


def test_too_little_space_is_told_before_anything_is_loaded(
    host: Machine, made: dict[str, Any], no_key: None
) -> None:
    with empty_podman(host, "small", "size=300m") as podman:
        said = podman.refused("a.tar")
    assert f"The file system of {podman.store}/root has 31" in said
    assert "MB are needed" in said


def test_a_disk_that_is_full_in_the_middle(
    host: Machine, made: dict[str, Any], no_key: None
) -> None:
    # Bytes enough, but no room for more files: it fails where podman unpacks.
    with empty_podman(host, "full", "size=700m,nr_inodes=1500") as podman:
        assert "no space left on device" in podman.refused("a.tar")
        host.sh(f"mount -o remount,nr_inodes=100000 {podman.store}")
        assert podman.load("a.tar").returncode == 0
        assert set(podman.images()) == {made["pair"]["vdsm"], made["pair"]["supervdsm"]}


def test_load_brings_both_images_and_keeps_them_by_names(
    host: Machine, made: dict[str, Any], podman: Podman, no_key: None
) -> None:
    pair = made["pair"]
    done = podman.load("a.tar")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == pair
    assert "handing over to podman" in done.stderr
    assert podman.images() == {
        pair[name]: [f"localhost/{name}:{pair['version']}-{pair[name][:12]}"]
        for name in ("vdsm", "supervdsm")
    }
    assert "both images are here already" in podman.load("a.tar").stderr
