# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the time of a run went."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Spent:
    """Sums the seconds of each part; from any thread. Parts may overlap."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        """Count the block for `part`."""
        began = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self.parts[part] += time.monotonic() - began
