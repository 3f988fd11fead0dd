# SPDX-License-Identifier: GPL-2.0-or-later
"""Which NICs are shown, as vdsm.conf says it: `[vars] hidden_nics` and `fake_nics`.

They are all that supervdsm takes from vdsm.conf. A file that is wrong keeps vdsm from starting, but
not supervdsm: a host whose networks were not restored could not be reached to correct the file. It
says so and goes on with the defaults.
"""

import logging
import os
from pathlib import Path
from typing import Final

from supervdsm.network.kernel.devices import NicPatterns
from vdsm_contract import config
from vdsm_contract.paths import CONFIG_DIR

_log: Final = logging.getLogger(__name__)

FAKE_NICS_ENV: Final = "VDSM_FAKE_NICS"
"""Takes the place of `fake_nics`: shell patterns, separated by commas."""


def nic_patterns(directory: Path = CONFIG_DIR) -> NicPatterns:
    """Return the patterns of the host's configuration."""
    try:
        settings = config.load(directory).config
    except config.ConfigError as error:
        for problem in error.problems:
            _log.error("The default patterns of NICs are used: %s", problem)
        settings = config.Config()
    text = os.environ.get(FAKE_NICS_ENV)
    if text is None:
        return NicPatterns(settings.hidden_nics, settings.fake_nics)
    fake = tuple(word.strip() for word in text.split(",") if word.strip())
    return NicPatterns(settings.hidden_nics, fake)
