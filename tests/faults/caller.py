# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m faults.caller INTERFACE VERB [JSON]`: make one call from where this runs, tell how it
ended.

Prints {"outcome": "ok" or the error's class, "fields": {...}, "result": ..., "seconds": ...}.
"""

import json
import sys
import time

import msgspec

from faults.interface import Faults
from vdsm_contract.errors import ContractError
from vdsm_contract.interfaces import ALL
from vdsm_contract.proxy import Supervdsm

INTERFACES = {interface.__name__.lower(): interface for interface in (*ALL, Faults)}


def main() -> None:
    interface, verb, *rest = sys.argv[1:]
    arguments = json.loads(rest[0]) if rest else {}
    room = Supervdsm().bind(INTERFACES[interface])
    started = time.monotonic()
    outcome, fields, result = "ok", {}, None
    try:
        result = getattr(room, verb)(**arguments)
    except ContractError as error:
        outcome, fields = type(error).__name__, vars(error)
    report = {
        "outcome": outcome,
        "fields": fields,
        "result": result,
        "seconds": time.monotonic() - started,
    }
    print(msgspec.json.encode(report).decode())


if __name__ == "__main__":
    main()
