# SPDX-License-Identifier: GPL-2.0-or-later
"""What this release is called, and which contract it speaks.

`CONTRACT_VERSION` changes whenever a verb, a type or an error changes on the wire. Both images
carry it as the label `org.ovirt.vdsm.contract`, and vdsm sends it in `Hello`: a skewed pair
refuses to talk.
"""

from typing import Final

RELEASE: Final = "0.1.0"
CONTRACT_VERSION: Final = "4"
