# SPDX-License-Identifier: GPL-2.0-or-later
"""Options of setupNetworks."""

import pytest

from supervdsm.network.config import Options
from supervdsm.network.request.options import parse
from vdsm_contract.errors import NetworkConfigError


@pytest.mark.parametrize(
    ("raw", "options"),
    [
        ({}, Options(connectivity_check=True, timeout=4, commit_on_success=False)),
        (
            {"connectivityCheck": "true", "connectivityTimeout": 120, "commitOnSuccess": True},
            Options(connectivity_check=True, timeout=120, commit_on_success=True),
        ),
        ({"connectivityCheck": "false"}, Options(connectivity_check=False)),
        ({"connectivityCheck": 0}, Options(connectivity_check=False)),
        ({"connectivityTimeout": "60"}, Options(timeout=60)),
        ({"connectivityTimeout": 0}, Options(timeout=0)),
        ({"connectivityTimeout": 10**6}, Options(timeout=600)),
        ({"connectivityTimeout": None, "connectivityCheck": ""}, Options()),
        ({"_inRollback": True, "_caller": "me", "inRollback": True}, Options()),
    ],
)
def test_options_are_read_as_the_engine_writes_them(
    raw: dict[str, object], options: Options
) -> None:
    assert parse(raw) == options


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"connectivityTimeout": -1}, "options.connectivityTimeout"),
        ({"connectivityTimeout": "soon"}, "options.connectivityTimeout"),
        ({"connectivityTimeout": True}, "options.connectivityTimeout"),
        ({"connectivityTimeout": 1.5}, "options.connectivityTimeout"),
        ({"connectivityTimeout": [1]}, "options.connectivityTimeout"),
        ({"connectivityCheck": "maybe"}, "options.connectivityCheck"),
        ({"commitOnSuccess": {}}, "options.commitOnSuccess"),
        ([], "options"),
    ],
)
def test_options_of_wrong_types_are_refused(raw: dict[str, object], field: str) -> None:
    with pytest.raises(NetworkConfigError) as caught:
        parse(raw)
    assert (caught.value.errCode, caught.value.field) == (21, field)
