# SPDX-License-Identifier: GPL-2.0-or-later
"""What is made of an answer of qemu-img that is none."""

import pytest

from vdsm.storage.volume import qemu_img
from vdsm.storage.volume.child import CommandError

DEEP = b'{"format":"raw","virtual-size":1,"x":' + b"[" * 9999


@pytest.mark.parametrize("answer", [b"", b"{", b"\xff", b"[]", b'{"format":1}', DEEP])
def test_an_answer_that_is_not_understood_is_a_typed_error(answer: bytes) -> None:
    with pytest.raises(CommandError, match="not understood"):
        qemu_img._info(answer)
