"""A stand of the plugin's for tests of what a game team calls: its gateway serves a module, its rest one test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sonde_lab.testing import Stand


@pytest.fixture(scope="module")
def shared() -> Iterator[Stand]:
    """A stand whose gateway outlives a test."""
    stand = Stand(keeps=True)
    stand.start()
    stand.thread.run(stand.gateway())
    yield stand
    stand.stop()


@pytest.fixture
def stand(shared: Stand, request: pytest.FixtureRequest) -> Iterator[Stand]:
    """The same, for one test."""
    with shared.test(request.node.name):
        yield shared
