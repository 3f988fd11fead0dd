# SPDX-License-Identifier: GPL-2.0-or-later
"""The end of the process."""

import os
import subprocess
import sys

STUCK = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from supervdsm.server.lifecycle import end

ThreadPoolExecutor(1).submit(Event().wait)  # the interpreter would wait for it
sys.stdin.read()
print("the last word")
end(7)
"""


def test_a_process_ends_also_when_nobody_reads_its_log() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdout.close()  # conmon is gone
        process.stdin.close()
        assert process.wait(10) == 7
    finally:
        process.kill()
        process.wait()
