# SPDX-License-Identifier: GPL-2.0-or-later
"""One hostile call, and what is wrong with it."""

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any


class About(Enum):
    """What is wrong with a call."""

    TYPE = "typed"
    PATH = "path"
    NAME = "name"
    NUMBER = "number"


@dataclass(frozen=True)
class Attack:
    """One call that is good but for `value`. A refusal must blame `field`, or what is in it."""

    verb: str
    about: About
    parameters: dict[str, Any]
    field: str
    value: object
    may_pass: bool = False
    """It is only compared, or right: an answer is no breach, if it tells and changes nothing."""

    @property
    def malformed(self) -> bool:
        """Whether it has a lone surrogate: that is no text, so the whole message is none."""
        text = json.dumps(self.parameters, ensure_ascii=False)
        return any("\ud800" <= each <= "\udfff" for each in text)

    @property
    def in_host(self) -> bool:
        """Whether a test host can tell how it ends. A number of virtual functions is only looked at
        once there is a NIC that can have some: that is a tree which stands for sysfs."""
        return (self.verb, self.about) != ("network.ChangeNumvfs", About.NUMBER)
