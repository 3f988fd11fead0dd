# SPDX-License-Identifier: GPL-2.0-or-later
"""What a compromised vdsm would put into each argument, and what may come back."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from security import requests
from security.attack import About, Attack
from security.values import (
    LONG,
    NAMES,
    NUMBERS,
    OPTIONS,
    PATHS,
    SOURCES,
    SYSFS,
    WRONG_TYPES,
)
from security.verbs import (
    BRIDGE,
    FOREIGN,
    LEADS_BACK,
    NICS,
    TARGET,
    Argument,
    Kind,
    Shape,
    arguments,
    good,
    kind,
    kinds,
    replaced,
)

DEVICES: Final = {
    "network.SetPortMirroring network": ("lo", NICS[2], FOREIGN, f"{BRIDGE} "),
    "network.SetPortMirroring target": ("lo", BRIDGE, FOREIGN, LEADS_BACK),
    "network.UnsetPortMirroring network": ("lo", NICS[2], FOREIGN, f"{BRIDGE} "),
    **{
        f"network.{verb} device": (
            *("../conf/all", f"../conf/{NICS[0]}", f"./{NICS[0]}", f"{NICS[0]}/", f"{NICS[0]}/."),
            *(f"lo/../{NICS[0]}", "../../ipv4/conf/default", f"{NICS[0]}\n"),
        )
        for verb in ("SetRpFilterLoose", "SetRpFilterStrict")
    },
}
"""What is there, and may not be had. Without a policy these calls would pass."""


@cache
def abouts(verb: str) -> frozenset[About]:
    """Return what is wrong with the calls of `attacks`."""
    return frozenset(attack.about for attack in attacks(verb))


@cache
def only_compared(verb: str, about: About) -> bool:
    """Whether a verb takes all of these, because it only compares them."""
    return all(
        each.may_pass for each in attacks(verb) if each.about is about and not each.malformed
    )


@cache
def attacks(verb: str) -> tuple[Attack, ...]:
    """Return all hostile calls of a verb."""
    return tuple(_attacks(verb))


def _attacks(verb: str) -> Iterator[Attack]:
    for name, value in (("no such argument", 1), ("flowId", LONG), ("flowId", ["x"])):
        yield Attack(verb, About.TYPE, {**good(verb), name: value}, name, value)
    for argument in arguments(verb):
        for wrong in WRONG_TYPES[argument.shape]:
            yield Attack(verb, About.TYPE, replaced(argument, wrong), argument.field, wrong)
        match argument.shape:
            case Shape.NUMBER:
                passes = argument.name == "seen"  # any number is a time
                for number in NUMBERS:
                    whole = replaced(argument, number)
                    yield Attack(verb, About.NUMBER, whole, argument.field, number, passes)
            case Shape.TEXT:
                yield from _texts(argument)
    if Kind.REQUEST in kinds(verb):
        for attack in requests.attacks(verb):
            # What may pass is only planned.
            if verb == "network.PlanNetworks" or not attack.may_pass:
                yield attack


def _texts(argument: Argument) -> Iterator[Attack]:
    of = kind(argument)
    more = {Kind.SYSFS: SYSFS, Kind.SOURCE: SOURCES}.get(of, ())
    values = [(About.PATH, value) for value in (*PATHS, *more)]
    values += [(About.NAME, value) for value in NAMES]
    values += [(About.NAME, value) for value in DEVICES.get(f"{argument.verb} {argument.name}", ())]
    if of is Kind.OPTIONS:
        values += [(About.NAME, value) for value in OPTIONS]
        values.remove((About.PATH, ""))  # no option is asked for
    if of is Kind.PATH:
        # Fuser compares the text with /proc and touches no file.
        # ValidateAccess may look at anything of vdsm's own, also at a socket.
        verb = argument.verb
        for name in PLANTS:
            path = f"{PLANTED}/{name}"
            passes = verb == "storage.Fuser" or (verb, name) == ("storage.ValidateAccess", "socket")
            whole = replaced(argument, path)
            yield Attack(verb, About.PATH, whole, argument.field, path, passes)
    for about, value in values:
        passes = of is Kind.COMPARED or (of is Kind.KEY and bool(_KEY.fullmatch(value)))
        whole = replaced(argument, value)
        yield Attack(argument.verb, about, whole, argument.field, value, passes)


_KEY: Final = re.compile(r"[A-Za-z_]{1,64}")

PLANTED: Final = f"{TARGET}-planted"
"""A directory that vdsm fills with things that are not what they seem, see `attacks/plant.py`."""

PLANTS: Final = (
    "link",
    "link/attack",
    "mount",
    "up",
    "magic",
    "socket",
    "file/x",
    "loop",
    "dangling",
)
"""`mount` leads to a mount of the host that nobody uses."""
