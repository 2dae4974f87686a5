"""Runs every contract test over every kind of store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.backends import FACTORIES, Store


@pytest.fixture(params=sorted(FACTORIES))
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """A fresh, empty store."""
    async with FACTORIES[request.param]() as made:
        yield made
