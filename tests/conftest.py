"""Rules that every test is held to, and the fixtures that start real things."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

from support.processes import GatewayProcess, running_gateway, wait_until_gone
from support.servers import shared_pids

if os.environ.get("QT_QPA_PLATFORM") is None and shutil.which("Xvfb") is None:
    os.environ["QT_QPA_PLATFORM"] = "offscreen"  # the fallback; pytest-xvfb gives a real screen where it can


WHOLE_SYSTEMS = frozenset({"e2e", "integration", "project"})
LONGEST = (
    "test_worst_case.py",
    "test_window.py",
    "test_held_band.py",
)  # half a minute and more, of one worker

# Time belongs to benchmarks: a busy machine is no failure. HYPOTHESIS_PROFILE=deep looks at many more examples.
settings.register_profile("sonde", deadline=None, max_examples=40)
settings.register_profile("deep", deadline=None, max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "sonde"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Properties and whole systems run unmeasured: coverage is what the tests of the parts themselves reach.

    Tracing slows the loops of properties fourfold, and whole windows and fleets twice.
    """
    for item in items:
        is_property = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        if is_property or WHOLE_SYSTEMS.intersection(item.path.parts):
            item.add_marker("no_cover")
    # A file is one worker's: the longest begin first, so that none has them when the others are done.
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes give no names to tests: masks are random, and every worker must collect the same names."""
    return f"{argname} of {len(val)} bytes" if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def own_data_folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the person's own settings, secrets or captures."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name in [name for name in os.environ if name.startswith("SONDE_")]:
        monkeypatch.delenv(name)
    if not request.node.get_closest_marker("measures_children"):
        monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    return tmp_path


@pytest.fixture(autouse=True)
def no_warnings_in_the_log(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """A WARNING in the log fails a test, unless the test is marked with the logger's name: `expects_log`."""
    yield
    expected = {name for mark in request.node.iter_markers("expects_log") for name in mark.args}
    loud = [
        f"{record.name}: {record.getMessage()}"
        for phase in ("setup", "call")
        for record in caplog.get_records(phase)
        if record.levelno >= logging.WARNING and record.name not in expected
    ]
    assert not loud, f"logged at WARNING or above: {loud}"


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """A leaked process or thread fails a test."""
    processes_before = own_children()
    threads_before = set(threading.enumerate())
    yield
    new = own_children() - processes_before - shared_pids()
    alive = wait_until_gone([psutil.Process(pid) for pid in new if psutil.pid_exists(pid)], 3.0)
    for process in alive:
        process.kill()
    assert not alive, f"processes left running: {[p.pid for p in alive]}"
    new_threads = [t for t in set(threading.enumerate()) - threads_before if not _is_pool(t)]
    for thread in new_threads:
        thread.join(3.0)
    left = [t.name for t in new_threads if t.is_alive()]
    assert not left, f"threads left running: {left}"


def own_children() -> set[int]:
    """Pids of this process's children. Read from /proc where that is there: a look at every process is dear."""
    tasks = Path("/proc/self/task")
    try:
        return {int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()}
    except OSError:
        return {child.pid for child in psutil.Process().children()}


def _is_pool(thread: threading.Thread) -> bool:
    """Default executors end with their loop or the interpreter, not with a test."""
    return thread.name.startswith(("asyncio_", "ThreadPoolExecutor", "QThread", "Dummy"))


@pytest.fixture
async def no_tasks_left() -> AsyncIterator[None]:
    """For tests on a loop: a task that outlives the test fails it."""
    before = asyncio.all_tasks()
    yield
    for _ in range(3):
        await asyncio.sleep(0)
    left = [
        task
        for task in asyncio.all_tasks() - before
        if not task.done() and task is not asyncio.current_task()
    ]
    assert not left, f"tasks left running: {left}"


@pytest.fixture(autouse=True)
def _no_tasks_left_in_async_tests(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("asyncio"):
        request.getfixturevalue("no_tasks_left")


@pytest.fixture
def gateway() -> Iterator[GatewayProcess]:
    """A real gateway process with the suite's secret, on free loopback ports."""
    with running_gateway() as running:
        yield running
