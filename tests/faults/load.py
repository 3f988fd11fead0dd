# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m faults.load RATE`: make RATE calls a second, evenly, until stdin ends; tell how each
ended.

Prints {"calls": [[word, started, seconds, outcome], ...]}; `started` is on CLOCK_MONOTONIC.
"""

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from faults.interface import Faults
from vdsm_contract.errors import ContractError
from vdsm_contract.proxy import Supervdsm

THREADS = 64


def main() -> None:
    interval = 1 / float(sys.argv[1])
    room = Supervdsm().bind(Faults)
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()

    def call(number: int) -> tuple[str, float, float, str]:
        word, started, outcome = f"w{number}", time.monotonic(), "ok"
        try:
            room.effect(word)
        except ContractError as error:
            outcome = type(error).__name__
        return word, started, time.monotonic() - started, outcome

    with ThreadPoolExecutor(THREADS) as pool:
        futures = []
        begin = time.monotonic()
        while not stop.is_set():
            futures.append(pool.submit(call, len(futures)))
            stop.wait(max(begin + len(futures) * interval - time.monotonic(), 0))
        print(json.dumps({"calls": [future.result() for future in futures]}))


if __name__ == "__main__":
    main()
