# SPDX-License-Identifier: GPL-2.0-or-later
"""The judgement of an attack: what is a refusal, and what only looks like one."""

import errno
import json

import pytest

from security.attack import About, Attack
from security.campaign import Outcome
from security.hostile import attacks
from security.verbs import VERBS
from supervdsm.server.dispatch import encode_error
from vdsm_contract.errors import (
    DeviceUnavailable,
    InvalidArgument,
    KernelSettingFailed,
    MountFailed,
    NetworkChangeFailed,
    NetworkConfigError,
    UmountFailed,
    Unexpected,
    VerbError,
    VersionMismatch,
)


def attack(verb: str, field: str, value: object, *, may_pass: bool = False) -> Attack:
    return Attack(verb, About.PATH, {field: value}, field, value, may_pass)


MTU = attack("network.SetupNetworks", "networks.net7.mtu", "x")
TARGET = attack("network.SetPortMirroring", "target", "lo")
ADDRESS = attack("network.ChangeNumvfs", "pciPath", "../x")
PATH = attack("storage.Umount", "fsFile", "/rhev/x")
KSM = attack("host.KsmTune", "tuning", -1)
HELLO = attack("service.Hello", "contract", "A" * 5000)
MOUNT = attack("storage.Mount", "fsSpec", "tmpfs")


def judged(one: Attack, error: VerbError) -> str:
    return Outcome(one, encode_error(error).rstrip(b"\0").decode()).refused


@pytest.mark.parametrize(
    ("one", "error"),
    [
        (KSM, InvalidArgument("tuning.run", "no")),
        (MTU, NetworkConfigError(21, "networks.net7.mtu", "no")),
        (MTU, NetworkConfigError(21, "networks.net7.mtu.x", "no")),
        (TARGET, DeviceUnavailable("lo", "no")),
        (PATH, UmountFailed("/rhev/x", errno.EINVAL, "no")),
        (HELLO, VersionMismatch("1", "A" * 64)),
    ],
)
def test_a_refusal_blames_what_was_hostile(one: Attack, error: VerbError) -> None:
    assert judged(one, error) == ""


@pytest.mark.parametrize(
    ("one", "error"),
    [
        (KSM, KernelSettingFailed("/sys/x", errno.EROFS, "read-only")),
        (KSM, InvalidArgument("tuningx", "no")),
        (MOUNT, MountFailed("tmpfs", "/rhev/x", 32, "no")),
        (MTU, NetworkConfigError(23, "networks.net7.nic", "there is no NIC")),
        (MTU, NetworkConfigError(21, "networks.net77.mtu", "no")),
        (MTU, NetworkChangeFailed("x", 1, "no", rolledBack=True)),
        (TARGET, DeviceUnavailable("attacked", "is not the bridge of a network")),
        (TARGET, DeviceUnavailable("", "is not the bridge of a network")),
        (ADDRESS, DeviceUnavailable("../x", "there is no such PCI device")),
        (PATH, UmountFailed("/rhev/x", errno.EBUSY, "it is a mount")),
        (PATH, UmountFailed("/etc", errno.EINVAL, "no")),
        (HELLO, VersionMismatch("1", "B" * 64)),
        (KSM, Unexpected("x")),
    ],
)
def test_a_failure_is_no_refusal(one: Attack, error: VerbError) -> None:
    assert judged(one, error) != ""


def test_what_must_be_refused_may_not_pass() -> None:
    passed = json.dumps({"parameters": {}})
    assert Outcome(KSM, passed).refused
    assert Outcome(KSM, None).refused


def test_what_may_pass_tells_nothing() -> None:
    one = attack("host.CheckQemuConfContains", "value", "x", may_pass=True)
    told = {answer: json.dumps({"parameters": {"contains": answer}}) for answer in (True, False)}
    assert Outcome(one, told[True]).refused
    assert not Outcome(one, told[False]).refused


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "network.PlanNetworks"])
def test_only_what_is_compared_may_pass(verb: str) -> None:
    """A network may have any name that a device may have: that is planned, and never made."""
    passing = {each.field for each in attacks(verb) if each.may_pass}
    assert passing == {
        "host.CheckQemuConfContains": {"key", "value"},
        "storage.Fuser": {"fsFile"},
        "storage.ValidateAccess": {"targetPath"},
        "network.WatchLinks": {"cursor"},
        "network.ConfirmConnectivity": {"seen"},
        "network.UnsetPortMirroring": {"target"},
        "network.GetLldpInfo": {"devices"},
    }.get(verb, set())
