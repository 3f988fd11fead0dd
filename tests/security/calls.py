# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes calls of vdsm's API from beside the host: `calls.py ADDRESS NAME PKI`.

stdin: [[verb, parameters], ...] as JSON. Prints the answers, as texts.
"""

import json
import sys
from pathlib import Path

from vdsm.client import CallError, Client, mutual_tls
from vdsm.jsonrpc.tls import Identity

PATIENCE_S = 60.0


def main() -> None:
    address, name, pki = sys.argv[1:]
    answers = []
    with Client(mutual_tls(address, identity=Identity.below(Path(pki)), name=name)) as client:
        for verb, parameters in json.load(sys.stdin):
            try:
                answer = client.call_with(verb, parameters, timeout=PATIENCE_S)
            except CallError as error:
                answer = f"{error.code} {error.message} {error.data}"
            answers.append(json.dumps(answer))
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
