"""The transports that the contract suite (test_contract.py) runs against, each as a harness.

A transport is added by a fixture ``<name>_harness`` here and its name in ``TRANSPORTS``; ``Harness`` in
test_contract.py says what the fixture returns.
"""

from __future__ import annotations

import pytest

TRANSPORTS: list[object] = []


@pytest.fixture(params=TRANSPORTS)
def harness(request: pytest.FixtureRequest) -> object:
    """Return the harness of each transport in turn."""
    return request.getfixturevalue(f"{request.param}_harness")
