"""The window is killed while it captures: no row is lost that is older than 200 ms, and the next start tells of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sonde_lab import endpoints
from support.crash import killed
from support.window import Person

pytestmark = pytest.mark.slow


def test_a_killed_window_loses_no_row_older_than_200_ms_and_the_next_start_tells(
    tell: Callable[..., None], tmp_path: Path
) -> None:
    outcome = killed(tmp_path / "data", rate=500, seconds=1.5)
    assert outcome.old > 300
    assert outcome.lost == 0

    async def story(person: Person) -> None:
        model = person.views.notices.model
        await person.until(lambda: model.rowCount(), "a notice")
        assert "The last run ended without closing" in str(model.index(0, 0).data())
        assert not Path(f"{outcome.path}-wal").exists()

    tell(story, endpoint=endpoints.proxy("ws://127.0.0.1:9"), players=False)
