"""Fixtures of the end-to-end tests: the real window, and a way to tell it a story."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from support.window import Person, run_window

Story = Callable[[Person], Awaitable[None]]


@pytest.fixture
def tell(qapp: QApplication, tmp_path: Path) -> Callable[..., None]:
    """`tell(story, endpoint=…, theme=…)`: open the window, let the story happen, close the window."""

    def run(story: Story, **options: Any) -> None:
        run_window(tmp_path / "data", story, **options)

    return run
