# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's images, through podman's API.

What podman-py hides is asked by its `api`, the HTTP client below it: `images.load` of podman-py
reads the whole file into memory, and `Image.save` knows one image only. An error in the middle of
an answer comes as a line of it, not as an exception, and one of the connection as requests' own.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from msgspec import Struct

from vdsm_tool.errors import UNKNOWN, ToolError
from vdsm_tool.host import Host
from vdsm_tool.state.containers import PODMAN_SOCKET
from vdsm_tool.upgrade.model import Pair, Tell
from vdsm_tool.upgrade.vet import Candidate

if TYPE_CHECKING:
    from podman import PodmanClient

REPOSITORIES: Final = {"vdsm": "localhost/vdsm", "supervdsm": "localhost/supervdsm"}
"""Where images of pairs get names that keep them from `podman image prune`."""

_DEFAULTS: Final = frozenset(f"{repository}:latest" for repository in REPOSITORIES.values())
"""What the units say, and what runs on a host that has no pins."""

MARGIN: Final = 256 * 1024 * 1024
"""Bytes that must stay free on the host, whatever is loaded: journals and the pair itself write."""

MAKE_ROOM: Final = (
    "Is there room? `podman system df` shows what is there, `vdsm-tool history --prune` removes "
    "images of former releases."
)

_TIMEOUT: Final = 60.0
"""Seconds that podman may take for a short answer; it waits for its own locks."""
_SILENCE: Final = 900.0
"""Seconds that podman may work on an image without a word."""
_CHUNK: Final = 1024 * 1024


class Space(Struct, frozen=True):
    """Where podman keeps images and where it puts what it is given first; paths of the host."""

    graph_root: str
    temporary: str


def exists(image_id: str) -> bool:
    """Return whether podman has the image. Raises ToolError."""
    with _client() as client:
        return bool(client.images.exists(image_id))


def find(name: str) -> Candidate | None:
    """Return the image that podman knows by `name` (a name, an id); None when it has none."""
    from podman.errors import ImageNotFound

    with _client() as client:
        try:
            attrs = client.images.get(name).attrs
        except ImageNotFound:
            return None
    return Candidate(
        source=name,
        id=str(attrs["Id"]).removeprefix("sha256:"),
        labels={str(key): str(value) for key, value in (attrs.get("Labels") or {}).items()},
        architecture=str(attrs.get("Architecture", "")),
    )


def architecture() -> str:
    """Return the host's architecture, as images name it (amd64, arm64). Raises ToolError."""
    with _client() as client:
        return str(_info(client)["host"]["arch"])


def space() -> Space:
    """Return where podman needs space. Raises ToolError."""
    with _client() as client:
        store = _info(client)["store"]
    root = str(store["graphRoot"])
    return Space(graph_root=root, temporary=str(store.get("imageCopyTmpDir") or root))


def ids() -> set[str]:
    """Return the ids of all images. Raises ToolError."""
    with _client() as client:
        return {image["Id"].removeprefix("sha256:") for image in _list(client)}


def pull(reference: str, tell: Tell) -> Candidate:
    """Have podman pull `reference`, and return the image. Raises ToolError."""
    with _client(_SILENCE) as client:
        response = client.api.post(
            "/images/pull", params={"reference": reference, "policy": "missing"}, stream=True
        )
        response.raise_for_status()
        for line in map(json.loads, response.iter_lines()):
            if line.get("error"):
                raise ToolError(
                    f"podman cannot pull {reference}: {line['error']}",
                    f"See `podman pull {reference}`; a registry may want `podman login`.",
                )
            if text := str(line.get("stream", "")).strip():
                tell(text)
    found = find(reference)
    if found is None:
        raise ToolError(f"podman said that it pulled {reference}, but has no such image")
    return found


def load(chunks: Iterable[bytes]) -> list[str]:
    """Have podman load the docker-archive that `chunks` are; return the names of its images.

    When `chunks` raises, podman has not seen the end, and loads nothing. Raises ToolError.
    """
    with _client(_SILENCE) as client:
        content: Any = iter(chunks)  # sent in pieces, as it has no length; its type does not say so
        response = client.api.post(
            "/images/load", data=content, headers={"Content-Type": "application/x-tar"}
        )
        if not response.ok:
            raise ToolError(f"podman cannot load the images: {_why(response.text)}", MAKE_ROOM)
        return [str(name) for name in response.json().get("Names") or ()]


def _why(answer: str) -> str:
    """Return why podman could not load a docker-archive: it says that of each format it knows."""
    try:
        text = str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        text = answer
    lines = text.splitlines()
    ours = [line.partition("docker-archive: ")[2] for line in lines if " docker-archive: " in line]
    return (ours or lines or ["no reason is given"])[0]


def save(pair: Pair, file: BinaryIO) -> Pair:
    """Write both images to `file`, as one docker-archive without names. Raises ToolError."""
    with _client(_SILENCE) as client:
        response = client.api.get(
            "/images/export",
            params={"format": "docker-archive", "references": [pair.vdsm, pair.supervdsm]},
            stream=True,
        )
        response.raise_for_status()
        file.writelines(response.iter_content(chunk_size=_CHUNK))
    return pair


def tag(pair: Pair) -> None:
    """Give both images the names that keep them. Raises ToolError.

    Those of a read-only store are left alone: nothing prunes them, and podman would copy their
    records, without their layers, to the store that it may write.
    """
    with _client() as client:
        read_only = {image["Id"] for image in _list(client) if image.get("ReadOnly")}
        for name, repository in REPOSITORIES.items():
            image_id: str = getattr(pair, name)
            if image_id not in read_only:
                client.images.get(image_id).tag(repository, tag_of(pair.version, image_id))


def tag_of(version: str, image_id: str) -> str:
    """Return the tag that an image of a pair is kept by. A tag cannot have every letter."""
    return f"{version.replace('+', '_').replace('~', '_')}-{image_id[:12]}"


def remove(image_id: str) -> None:
    """Remove an image and its names, unless a container uses it. Raises ToolError."""
    from podman.errors import ImageNotFound

    with _client() as client, suppress(ImageNotFound):
        names: list[str] = []
        # One that a full disk left half made is not found, and can be removed all the same.
        with suppress(ImageNotFound):
            names = client.images.get(image_id).tags
        for name in names[1:]:
            client.images.remove(name)
        client.images.remove(names[0] if names else image_id)


def prune(keep: Collection[Pair], host: Host) -> list[str]:
    """Remove the images that upgrades kept, but those of `keep`; return the names they had.

    One that a container runs stays as it is. One that the units name, for a host without pins, only
    loses the name that kept it. Raises ToolError.
    """
    kept = {image_id for pair in keep for image_id in (pair.vdsm, pair.supervdsm)}
    listed = host.run(("podman", "ps", "--all", "--no-trunc", "--format={{.ImageID}}"))
    running = {image_id.removeprefix("sha256:") for image_id in listed.split()}
    removed = []
    with _client() as client:
        for image in _list(client):
            names = image.get("Names") or ()
            ours = [name for name in names if _is_kept_name(name, image["Id"])]
            if not ours or image["Id"] in kept | running or image.get("ReadOnly"):
                continue
            for name in ours if _DEFAULTS.intersection(names) else names:
                client.images.remove(name)
                removed.append(name)
    return removed


def _is_kept_name(name: str, image_id: str) -> bool:
    repository, _, tag = name.rpartition(":")
    return repository in REPOSITORIES.values() and tag.endswith(f"-{image_id[:12]}")


def _list(client: "PodmanClient") -> list[dict[str, Any]]:
    """All images: Id (64 digits), Names, ReadOnly and more. Two stores may have the same one."""
    response = client.api.get("/images/json")
    response.raise_for_status()
    listed: list[dict[str, Any]] = response.json()
    for image in listed:
        image["Id"] = str(image["Id"]).removeprefix("sha256:")
    return listed


def _info(client: "PodmanClient") -> dict[str, dict[str, Any]]:
    response = client.api.get("/info")
    response.raise_for_status()
    answer: dict[str, dict[str, Any]] = response.json()
    return answer


@contextmanager
def _client(timeout: float = _TIMEOUT, socket: Path = PODMAN_SOCKET) -> Iterator["PodmanClient"]:
    """Connect to podman; its errors become ToolErrors. `timeout`: seconds of silence."""
    if not socket.is_socket():
        raise ToolError(
            f"There is no {socket}: images cannot be looked at",
            "`systemctl enable --now podman.socket`.",
            status=UNKNOWN,
        )
    # Slow to import (requests), and only commands that deal with images pay for it.
    from podman import PodmanClient
    from podman.errors import PodmanError
    from requests.exceptions import HTTPError, RequestException

    try:
        with PodmanClient(base_url=f"unix://{socket}", timeout=timeout) as client:
            yield client
    except (PodmanError, HTTPError) as error:
        explanation = getattr(error, "explanation", None) or error
        raise ToolError(f"podman refuses: {explanation}", "`journalctl -u podman`.") from error
    except (RequestException, OSError) as error:
        raise ToolError(
            f"podman does not answer on {socket}: {error}",
            "`systemctl status podman.socket podman.service`.",
        ) from error
