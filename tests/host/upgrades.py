# SPDX-License-Identifier: GPL-2.0-or-later
"""A host whose pair is swapped: the commands, how it is left, and a client that calls meanwhile.

Its images can end or stop their own vdsm-tool behind any step of an upgrade, see `Upgrading.at`.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from host.releases import HALVES, Edit, Half, Release, image_id, make
from machines import ROOT, Machine

ADDRESS, PEER = "192.0.2.2", "192.0.2.1"
STATE: Final = "/var/lib/vdsm/upgrade"
ORDER: Final = "/run/systemd/system/vdsm.service.d/50-upgrade.conf"
POOL: Final = "00000000-0000-0000-0000-000000000000"
TREE, MOUNT = "/srv/images", "/rhev/data-center/mnt/_srv_images"
CLIENT: Final = ROOT / "tests/front/reconnecting.py"

ORDERS, AT = "/run/upgrade-orders", "/run/upgrade-at"
OBEY: Final = Edit(
    "vdsm_tool/upgrade/journal.py",
    "    tell(step.value)\n",
    f"""\
    tell(step.value)
    orders = Path("/host{ORDERS}")
    lines = orders.read_text().splitlines() if orders.exists() else []
    if lines and lines[0].split()[1] == step.name:
        orders.write_text("".join(f"{{line}}\\n" for line in lines[1:]))
        if lines[0].startswith("kill"):
            os.kill(os.getpid(), 9)
        at = Path("/host{AT}")
        at.write_text(step.name)
        while at.exists():
            time.sleep(0.1)
""",
)
"""Does behind a step what a file of the host says, once: "kill STEP", or "stop STEP", which goes on
when the file that says where it stopped is removed."""

ONE: Final = Release("one", "0.1.1", supervdsm=Half((OBEY,)))
TWO: Final = Release("two", "0.1.2", supervdsm=Half((OBEY,)))


@dataclass
class Upgrading:
    """A host with two whole releases; it runs one of them."""

    machine: Machine
    ids: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The image ids of vdsm and supervdsm by the name of their release."""

    def add(self, release: Release) -> tuple[str, str]:
        """Make a release; return its references."""
        references = make(self.machine, release)
        vdsm, supervdsm = (image_id(self.machine, reference) for reference in references)
        self.ids[release.name] = (vdsm, supervdsm)
        return references

    # --- commands -------------------------------------------------------------------------------

    def tool(self, *words: str, timeout: float = 240) -> "subprocess.CompletedProcess[str]":
        """Run `vdsm-tool`; a failure is the caller's to judge."""
        return self.machine.run("vdsm-tool", *words, timeout=timeout, check=False)

    def upgrade(self, release: Release, *options: str) -> "subprocess.CompletedProcess[str]":
        """Upgrade to a release by its references."""
        return self.tool("upgrade", *release.references, *options)

    def entries(self) -> list[dict[str, Any]]:
        """The history."""
        entries: list[dict[str, Any]] = json.loads(self.tool("history", "--json").stdout)["entries"]
        return entries

    def last(self) -> dict[str, Any]:
        """The newest of the history; each upgrade has one entry."""
        entries = self.entries()
        ids = [entry["id"] for entry in entries]
        assert len(ids) == len(set(ids)), ids
        return entries[-1]

    def at(self, *orders: str) -> None:
        """Have "kill STEP" or "stop STEP" done, one after the other."""
        text = "".join(f"{order}\n" for order in orders)
        self.machine.run("tee", ORDERS, stdin=text.encode())
        self.machine.sh(f"rm -f {AT}")

    def wait_for_end(self) -> None:
        """Wait until vdsm-upgrade.service has ended."""
        unit = "vdsm-upgrade.service"
        ended = f"case $(systemctl is-active {unit}) in active|*ing) false;; *) true; esac"
        self.machine.wait(ended, timeout=240)

    # --- how it is left -------------------------------------------------------------------------

    def serves(self, release: Release) -> None:
        """Check that the pair is whole: pinned, running and answering, and nothing is left over."""
        host, (vdsm, supervdsm) = self.machine, self.ids[release.name]
        names = {"vdsm": vdsm, "supervdsm": supervdsm, "vdsm-lldpd": supervdsm}
        for name in HALVES:
            pin = host.sh(f"cat /etc/vdsm/pins/current/{name}.conf")
            assert f"Image={names[name]}" in pin, f"{release.name} is not pinned: {pin}"
        inspect = "podman inspect -f '{{.Name}} {{.Image}}' " + " ".join(names)
        runs = dict(line.split() for line in host.sh(inspect).splitlines())
        assert runs == names, f"{release.name} does not run"
        assert host.client("Host", "echo", "message=whole") == "whole"
        caps = host.client("Host", "getCapabilities")
        assert caps["software_version"] == release.version
        assert "ovirtmgmt" in caps["networks"]
        left = f"ls {STATE}/pending.json {ORDER} /etc/vdsm/pins/.[!.]*"
        assert host.sh(f"{left} 2>/dev/null || true") == ""

    def untouched(self) -> dict[str, str]:
        """What a swap must leave as it is: networks, mounts, and the sockets of systemd."""
        show = "systemctl show -P InvocationID -P ActiveEnterTimestampMonotonic"
        links = "ip -o link show | sed 's/ qlen.*//'"
        return {
            "links": self.machine.sh(links),
            "addresses": self.machine.sh("ip -o -4 address show | sed 's/valid_lft.*//'"),
            "routes": self.machine.sh("ip -4 route show table all; ip rule"),
            "mounts": self.machine.sh("findmnt -rn -o TARGET,SOURCE,FSTYPE,OPTIONS | grep rhev"),
            "inode": self.machine.sh(f"stat -c %d:%i {MOUNT}/greeting"),
            "sockets": self.machine.sh(f"{show} vdsm.socket supervdsm.socket"),
        }

    def connect(self) -> None:
        """Connect the storage server, as an engine does after each boot."""
        parameters = {
            "storagepoolID": POOL,
            "domainType": "LOCALFS",
            "connectionParams": [{"id": POOL, "connection": TREE}],
        }
        words = ("vdsm-client", "-f", "-", "StoragePool", "connectStorageServer")
        done = self.machine.run(*words, stdin=json.dumps(parameters).encode())
        assert json.loads(done.stdout)[0]["status"] == 0


def set_up(machine: Machine) -> Upgrading:
    """Give the host a network and a mount to lose, and let it run the first of two releases."""
    upgrading = Upgrading(machine)
    machine.sh(f"mkdir -p {TREE}; chown 36:36 {TREE}; echo hello >{TREE}/greeting; rm -f {ORDERS}")
    network = {
        "nic": "eth0",
        "ipaddr": ADDRESS,
        "netmask": "255.255.255.0",
        "gateway": PEER,
        "defaultRoute": True,
    }
    request = {
        "networks": {"ovirtmgmt": network},
        "bondings": {},
        "options": {"connectivityCheck": False, "commitOnSuccess": True},
    }
    words = ("vdsm-client", "-f", "-", "Host", "setupNetworks")
    machine.run(*words, stdin=json.dumps(request).encode())
    upgrading.connect()
    for release in (ONE, TWO):
        upgrading.add(release)
    done = upgrading.upgrade(ONE)
    assert done.returncode == 0, done.stderr
    return upgrading


# --- the client beside ---------------------------------------------------------------------------


@dataclass
class Load:
    """Calls that are made while the block of `load` runs; `seen` is there behind it."""

    seen: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """No call was answered twice, and each that was not served has an error."""
        seen = self.seen
        for wrong in ("twice", "wrong", "open", "refused"):
            assert seen[wrong] == [], f"{wrong}: {seen[wrong][:5]}"
        ends = seen["served"] + len(seen["errors"]) + len(seen["lost"])
        assert ends == seen["made"], seen

    def __str__(self) -> str:
        seen = self.seen
        gaps = [gap for gap, _began in seen["gaps"]]
        longer = ", ".join(f"{gap:.2f}" for gap in gaps if gap > 0.5)
        kinds = Counter(text.partition(": ")[2] for text in (*seen["errors"], *seen["lost"]))
        return (
            f"{seen['made']} calls: {seen['served']} served, {len(seen['errors'])} errors, "
            f"{len(seen['lost'])} lost, over {seen['connections']} connections\n"
            f"    errors: {dict(kinds)}\n"
            f"    longest gap between two served calls {gaps[0]:.2f} s; all over 0.5 s: {longer}"
        )


@contextmanager
def load(machine: Machine, pki: Path, rate: int, made: Load) -> Iterator[None]:
    """Make `rate` calls a second from beside the host until the block ends."""
    path = f"PYTHONPATH={ROOT / 'src'}:{ROOT / 'tests'}"
    client = [sys.executable, str(CLIENT), ADDRESS, str(pki), str(rate)]
    words = [str(machine.tool), "exec", "--peer", machine.name, "--", "env", path, *client]
    # A Ctrl-C is for the test, which then ends the client and has its figures.
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"serving\n"
            yield
        finally:
            with suppress(subprocess.TimeoutExpired):
                out, _ = process.communicate(timeout=90)
                made.seen = json.loads(out)
            process.kill()
