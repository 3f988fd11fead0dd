# SPDX-License-Identifier: GPL-2.0-or-later
"""Questions to vdsm about storage, by its public API."""

from collections.abc import Mapping
from typing import Final

from vdsm_contract.paths import PKI_DIR
from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.pki.files import PkiFiles
from vdsm_tool.state import vdsm

_TIMEOUT: Final = 120.0
"""Seconds for an answer: longer than the 60 s that vdsm gives a storage server which is gone."""


class Vdsm:
    """vdsm on this host, as a function of its verbs."""

    def __init__(self, host: Host, files: PkiFiles | None = None) -> None:
        self._files = files or PkiFiles(PKI_DIR)
        self._tls = vdsm.uses_tls(host)

    def call(self, verb: str, **params: object) -> object:
        """Make a call. Raises vdsm.CallFailed when vdsm refuses, ToolError when nobody answers."""
        try:
            return vdsm.call(verb, params, files=self._files, tls=self._tls, timeout=_TIMEOUT)
        except vdsm.CallFailed:
            raise
        except (OSError, ValueError) as error:
            finding = vdsm.judge(error, files=self._files)
            raise ToolError(f"vdsm: {finding.detail}", finding.way_out) from error

    def mapping(self, verb: str, **params: object) -> Mapping[str, object]:
        """Make a call whose result is an object. Raises like `call`."""
        result = self.call(verb, **params)
        if not isinstance(result, dict):
            raise ToolError(f"vdsm: {verb} gave {result!r:.80} and not an object")
        return result

    def ids(self, verb: str, **params: object) -> list[str]:
        """Make a call whose result is a list of ids. Raises like `call`."""
        result = self.call(verb, **params)
        if not isinstance(result, list):
            raise ToolError(f"vdsm: {verb} gave {result!r:.80} and not an array")
        return [str(each) for each in result]
