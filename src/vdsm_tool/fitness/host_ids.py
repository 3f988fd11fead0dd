# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the host's users agree with oVirt's numbers: vdsm is 36, kvm is 36.

Images on shared storage belong to these numbers, so no host can choose others. The host's files are
read, not its NSS: what runs in the containers reads no directory service either.
"""

from typing import Final

from vdsm_contract.paths import KVM_GID, VDSM_UID
from vdsm_tool.finding import Finding, fail, ok, warn
from vdsm_tool.host import Host

_NUMBER_FIELD: Final = 2  # passwd(5), group(5)


def vdsm_user(host: Host) -> Finding:
    """Return whether uid 36 is vdsm's or free, and vdsm has no other."""
    return _judge(host, "/etc/passwd", "user", "vdsm", VDSM_UID)


def kvm_group(host: Host) -> Finding:
    """Return whether gid 36 is kvm's or free, and kvm has no other."""
    return _judge(host, "/etc/group", "group", "kvm", KVM_GID)


def _judge(host: Host, file: str, kind: str, name: str, number: int) -> Finding:
    numbers = _read(host, file)
    title = f"{kind} {name}"
    owners = [owner for owner, value in numbers.items() if value == number and owner != name]
    if owners:
        return fail(
            title,
            f"{number} belongs to {owners[0]}",
            f"Give {owners[0]} another number ({kind}mod) and its files with it.",
        )
    if name not in numbers:
        return warn(title, f"{number} is free", "`make install`, or systemd-sysusers, makes it.")
    if numbers[name] != number:
        return fail(
            title,
            f"it is {numbers[name]}, not {number}",
            f"`{kind}mod --{kind[0]}id {number} {name}`, and chown what it owns.",
        )
    return ok(title, str(number))


def _read(host: Host, file: str) -> dict[str, int]:
    rows = [line.split(":") for line in host.path(file).read_text().splitlines()]
    return {
        row[0]: int(row[_NUMBER_FIELD])
        for row in rows
        if len(row) > _NUMBER_FIELD and row[_NUMBER_FIELD].isdigit()
    }
