# SPDX-License-Identifier: GPL-2.0-or-later
"""Run one target under atheris: `python -m fuzz.engine TARGET [LIBFUZZER ARGUMENT...]`.

Needs the packages of requirements/fuzz.lock; `containers/fuzz` calls it.
"""

import gc
import logging
import os
import random
import sys

import atheris

from fuzz import mutate, target

ITSELF = "VDSM_FUZZ_ENGINE"
"""The environment may name a program that is this one with this target: a merge starts it anew."""


def main() -> None:
    name = sys.argv[1]
    # What is logged is made into text, as it is in the daemons, and goes nowhere. Who logged it is
    # not looked for on the stack, as no daemon tells it (Python's logging HOWTO, Optimization).
    logging.basicConfig(level=logging.INFO, handlers=[_Formatted()])
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    with atheris.instrument_imports(include=list(target.OURS)):
        found = target.load(name)
    arguments = [os.environ.get(ITSELF, sys.argv[0]), f"-max_len={found.most}"]
    if found.dictionary.exists():
        arguments.append(f"-dict={found.dictionary}")

    rng = random.Random()
    plain = 3 if found.json else 7

    def custom(data: bytes, most: int, seed: int) -> bytes:
        if seed % 10 < plain:
            return bytes(atheris.Mutate(data, most))
        rng.seed(seed)
        return mutate.mutate(
            data, rng, most=min(most, found.most), is_json=found.json, prefix=found.prefix
        )

    atheris.Setup([*arguments, *sys.argv[2:]], found.run, custom_mutator=custom)
    gc.freeze()  # what there is by now stays: no collection looks at it again
    atheris.Fuzz()


class _Formatted(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        target.require(len(text) < 1 << 16, "a log line of more than 64 KiB")


if __name__ == "__main__":
    main()
