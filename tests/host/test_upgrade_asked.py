# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client of the API takes away during a swap is no damage: the new pair stays."""

import json

from host.upgrades import AT, MOUNT, ONE, POOL, TREE, TWO, Upgrading
from machines import Machine


def call(host: Machine, verb: str, parameters: dict[str, object]) -> str:
    """Make a call as an engine does; return its result as JSON."""
    words = ("vdsm-client", "-f", "-", *verb.split("."))
    return host.run(*words, stdin=json.dumps(parameters).encode()).stdout


def setup(host: Machine, networks: dict[str, object]) -> None:
    options = {"connectivityCheck": False, "commitOnSuccess": True}
    parameters: dict[str, object] = {"networks": networks, "bondings": {}, "options": options}
    call(host, "Host.setupNetworks", parameters)


def test_an_unmount_and_a_removed_network_during_a_swap_are_no_damage(
    upgrading: Upgrading,
) -> None:
    host = upgrading.machine
    runs_two = upgrading.ids["two"][0] in host.sh("cat /etc/vdsm/pins/current/vdsm.conf")
    release = ONE if runs_two else TWO
    setup(host, {"shortlived": {}})
    # Both are noted, and the old pair still serves.
    upgrading.at("stop SEEN")
    first = host.start("vdsm-tool", "upgrade", *release.references)
    host.wait(f"[ -e {AT} ]")
    try:
        parameters: dict[str, object] = {
            "storagepoolID": POOL,
            "domainType": "LOCALFS",
            "connectionParams": [{"id": POOL, "connection": TREE}],
        }
        done = call(host, "StoragePool.disconnectStorageServer", parameters)
        assert json.loads(done)[0]["status"] == 0
        setup(host, {"shortlived": {"remove": True}})
        host.sh(f"! findmnt {MOUNT}")
        host.sh("! ip link show shortlived 2>/dev/null")
        host.sh(f"rm {AT}")
        assert first.wait(240) == 0, upgrading.last()
        upgrading.serves(release)
        told = host.sh("cat /run/vdsm/upgrade.progress")
        assert "Asked for meanwhile, no damage: The mount of " in told
        assert "Asked for meanwhile, no damage: The link shortlived" in told
        host.sh("! test -e /run/vdsm/upgrade.asked")
    finally:
        host.sh(f"rm -f {AT}")
        upgrading.connect()
