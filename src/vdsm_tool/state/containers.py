# SPDX-License-Identifier: GPL-2.0-or-later
"""The two containers and the images that they run, read from podman's API with podman-py."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from vdsm_contract.version import CONTRACT_VERSION
from vdsm_tool.errors import UNKNOWN, ToolError
from vdsm_tool.finding import Finding, fail, ok

if TYPE_CHECKING:
    from podman.domain.containers import Container

PODMAN_SOCKET: Final = Path("/run/podman/podman.sock")
NAMES: Final = ("supervdsm", "vdsm")
BESIDE: Final = ("vdsm-lldpd", "vdsm-dhcp-")
"""How the names of those begin that run supervdsm's image beside it."""

_TIMEOUT: Final = 10
"""Seconds that podman's API may take to answer."""

_VERSION: Final = "org.opencontainers.image.version"
_REVISION: Final = "org.opencontainers.image.revision"
_CONTRACT: Final = "org.ovirt.vdsm.contract"


class ContainerState(Struct, frozen=True, rename="camel"):
    """A container of the pair; `version`, `revision` and `contract` are its image's labels."""

    name: str
    status: str
    image: str
    image_id: str
    version: str
    revision: str
    contract: str


def read_containers(socket: Path = PODMAN_SOCKET, *, beside: bool = False) -> list[ContainerState]:
    """Ask podman for the containers that exist; with `beside` also for those that run beside.

    Raises ToolError when it cannot be asked.
    """
    if not socket.is_socket():
        raise ToolError(
            f"There is no {socket}: images and versions cannot be shown",
            "`systemctl enable --now podman.socket`.",
            status=UNKNOWN,
        )
    # Slow to import (requests): only `status` of a host with podman's socket pays for it.
    from podman import PodmanClient
    from podman.errors import APIError, NotFound, PodmanError
    from requests.exceptions import RequestException

    states = []
    try:
        with PodmanClient(base_url=f"unix://{socket}", timeout=_TIMEOUT) as client:
            names = [*NAMES, *(_beside(client.containers.list()) if beside else ())]
            for name in names:
                try:
                    container = client.containers.get(name)
                except NotFound:
                    continue
                states.append(_state(name, container.attrs, container.labels))
    except (APIError, PodmanError, RequestException) as error:
        raise ToolError(
            f"podman does not answer on {socket}: {error}",
            "`systemctl status podman.socket podman.service`.",
            status=UNKNOWN,
        ) from error
    return states


def _beside(running: "list[Container]") -> list[str]:
    return sorted(one.name for one in running if one.name.startswith(BESIDE))


def _state(name: str, inspected: dict[str, object], labels: dict[str, str]) -> ContainerState:
    """Make a state of the answer to `GET /containers/NAME/json` of libpod's API."""
    state = inspected.get("State")
    return ContainerState(
        name=name,
        status=str(state.get("Status", "unknown")) if isinstance(state, dict) else "unknown",
        image=str(inspected.get("ImageName", "")),
        image_id=str(inspected.get("Image", "")).removeprefix("sha256:"),
        version=labels.get(_VERSION, ""),
        revision=labels.get(_REVISION, ""),
        contract=labels.get(_CONTRACT, ""),
    )


def judge(states: list[ContainerState]) -> Finding:
    """Return whether the images that run belong together."""
    contracts = {state.name: state.contract or "none" for state in states}
    if len(set(contracts.values())) > 1:
        skew = ", ".join(f"{name} {contract}" for name, contract in contracts.items())
        return fail(
            "contract",
            f"the images speak different contracts: {skew}",
            "Run both images from one release, and restart both: "
            "`systemctl restart supervdsm vdsm`.",
        )
    images = ", ".join(f"{state.name} {state.version or '?'}" for state in states)
    return ok("contract", f"{next(iter(contracts.values()), CONTRACT_VERSION)} ({images})")
