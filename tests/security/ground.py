# SPDX-License-Identifier: GPL-2.0-or-later
"""What must be there for the good calls of `security.verbs` to pass, and those calls.

Every attack is a good call with one thing that is hostile. That it is refused for that thing shows
only if the good call passes: each is made before the attacks, with what undoes it.
"""

from typing import Any, Final

from security.siege import Siege
from security.verbs import BRIDGE, FOREIGN, NICS, TAP, TARGET, VERBS, good

_LAY: Final = f"""
for number in 0 1 2; do
    ip link add veth_att$number type veth peer name far_att$number
    ip link set veth_att$number up; ip link set far_att$number up
done
ip link add {TAP} type veth peer name far_tap
ip link add {FOREIGN} type bridge
mkdir -p /srv/attack-mounted
mount -t tmpfs tmpfs /srv/attack-mounted
truncate -s 1M {TARGET}/ids
podman exec supervdsm sanlock direct init -s LS:1:{TARGET}/ids:0
chown 36:36 {TARGET}/ids
"""
_CLEAR: Final = f"for one in {' '.join((*NICS, TAP, FOREIGN))}; do ip link delete $one; done"

ELSEWHERE: Final = frozenset(
    {"host.GetHardwareInfo", "host.HugepagesAlloc", "network.ChangeNumvfs"}
)
"""Verbs whose good call a test host need not answer: it may have no DMI, it has no NIC with virtual
functions, and its huge pages are read-only. They are called over a tree that stands for sysfs, in
tests/process/security/test_sysfs.py."""

_WITHOUT: Final[dict[str, dict[str, Any]]] = {
    "network.SetupNetworks": {
        "networks": {
            name: {key: value for key, value in network.items() if key != "vlan"}
            for name, network in good("network.SetupNetworks")["networks"].items()
        },
        "bondings": {},
    }
}
"""A test host's kernel has neither bonds nor VLANs: those are only planned."""

_BRIDGED: Final[dict[str, Any]] = {
    "networks": {BRIDGE: {"nic": NICS[2]}},
    "bondings": {},
    "options": {"connectivityCheck": False},
}
_UNDONE: Final[dict[str, list[tuple[str, dict[str, Any]]]]] = {
    "network.SetupNetworks": [
        (
            "network.SetupNetworks",
            {
                "networks": {"net7": {"remove": True}},
                "bondings": {},
                "options": {"connectivityCheck": False},
            },
        ),
        ("network.SetupNetworks", _BRIDGED),  # what is mirrored below
    ],
}
"""Calls that follow a good one, for the attacks to find what they want."""

Calls = list[tuple[str, dict[str, Any]]]


def calls() -> Calls:
    """Return the good calls of all verbs that a test host can serve, in an order in which each one
    passes, and what undoes them."""
    found: Calls = []
    for verb in VERBS:
        if verb not in ELSEWHERE:
            found += [(verb, good(verb) | _WITHOUT.get(verb, {})), *_UNDONE.get(verb, ())]
    return found


def removal() -> Calls:
    """Return what takes the network away that the calls have left."""
    removed = _BRIDGED | {"networks": {BRIDGE: {"remove": True}}}
    return [("network.SetupNetworks", removed)]


def lay(siege: Siege) -> None:
    """Make the devices, mounts and files that the calls name. The target is vdsm's to make."""
    siege.host.sh(_LAY)


def clear(siege: Siege) -> None:
    """Take the devices away; the rest goes with the siege."""
    siege.host.sh(_CLEAR)
