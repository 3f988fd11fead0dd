# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.ovirt.supervdsm.faults`: verbs that fail in every way that a verb can."""

from vdsm_contract.declare import Interface, exclusive, per_path, seconds, verb
from vdsm_contract.errors import KernelSettingFailed


class Faults(Interface, name="org.ovirt.supervdsm.faults"):
    """Verbs for tests. Each appends `word` to the file `effects` when it runs."""

    @verb(limit=seconds(10), touches="the effects file")
    def effect(self, word: str) -> None:
        """Leave an effect."""

    @verb(limit=seconds(10), touches="the effects file")
    def slow_effect(self, word: str, before: float, after: float) -> None:
        """Leave `word.begun`, `before` seconds later the effect, and answer `after` seconds
        later."""

    @verb(limit=seconds(10), errors=(KernelSettingFailed,), touches="the effects file")
    def raise_declared(self, word: str) -> None:
        """Leave an effect and fail as declared."""

    @verb(limit=seconds(10), touches="the effects file")
    def raise_undeclared(self, word: str) -> None:
        """Leave an effect and fail as nobody declared."""

    @verb(limit=seconds(10), touches="the effects file")
    def exit(self, word: str) -> None:
        """Leave an effect and raise SystemExit."""

    @verb(limit=seconds(1), lock=per_path("path"), touches="nothing")
    def overstay(self, path: str, seconds: float) -> None:
        """Stay in Python for longer than the limit."""

    @verb(limit=seconds(1), touches="a child process")
    def overstay_in_child(self, seconds: float) -> None:
        """Wait for a child, and its child, for longer than the limit."""

    @verb(limit=seconds(30), errors=(KernelSettingFailed,), touches="a child process")
    def read_in_child(self, path: str) -> None:
        """Wait for a child that reads a file to its end; fail when it does not end well."""

    @verb(limit=seconds(10), lock=exclusive("faults"), touches="nothing")
    def hold(self, seconds: float) -> None:
        """Hold an exclusive lock."""

    @verb(limit=seconds(10), secret=("password",), touches="the audit")
    def keep_secret(self, user: str, password: str) -> None:
        """Take a secret."""

    @verb(limit=seconds(10), touches="the listening thread")
    def break_listener(self, how: str) -> None:
        """Make the listening thread `die` or `hang`."""
