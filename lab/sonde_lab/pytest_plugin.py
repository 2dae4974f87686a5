"""The pytest plugin `sonde`: fixtures that start gateways, clusters, proxies and clients for a game's own tests.

Owns the fixtures, the options and the report of a failed test. It imports nothing but pytest until a test asks for a
fixture, has no fixture that is used by itself, and changes no test that asks for none. `-p no:sonde` leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sonde_lab.testing import Stand, TestGateway
    from sonde_lab.testing.recording import Recording

_SEEN = pytest.StashKey[tuple["Stand", "Recording"]]()
_SCOPES = ("test", "session")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and settings, all with the plugin's name in theirs."""
    group = parser.getgroup("sonde", "Sonde: disconnects in tests")
    group.addoption(
        "--sonde-captures", metavar="DIR", default=None,
        help="Save the traffic of each failed test that used a Sonde fixture as a .sonde file in DIR.",
    )  # fmt: skip
    parser.addini(
        "sonde_gateways", default="test",
        help="How long gateways and clusters live: 'test' (each test has its own) or 'session' (shared, faster).",
    )  # fmt: skip


@pytest.fixture(scope="session")
def _sonde_stand(pytestconfig: pytest.Config) -> Iterator[Stand]:
    """The thread on which everything lives, and what outlives a test."""
    from sonde_lab.testing import Stand  # late: a run without our fixtures pays nothing

    wanted = pytestconfig.getini("sonde_gateways")
    if wanted not in _SCOPES:
        raise pytest.UsageError(f"sonde_gateways is 'test' or 'session', not {wanted!r:.40}")
    stand = Stand(keeps=wanted == "session")
    stand.start()
    yield stand
    stand.stop()


@pytest.fixture
def _sonde_test(request: pytest.FixtureRequest, _sonde_stand: Stand) -> Iterator[Stand]:
    """The stand, while it belongs to this test."""
    with _sonde_stand.test(request.node.nodeid.rpartition("/")[2]) as recording:
        request.node.stash[_SEEN] = (_sonde_stand, recording)
        yield _sonde_stand


@pytest.fixture
def sonde_gateway(_sonde_test: Stand) -> TestGateway:
    """A gateway in a process of its own, on a free port: `url`, `token(user)`, `kick`, `restart`, `kill`, `drain`."""
    return _sonde_test.thread.run(_sonde_test.gateway())


@pytest.fixture
def sonde_cluster(_sonde_test: Stand) -> Callable[..., Any]:
    """`sonde_cluster(nodes=2)`: Redis, NATS and gateways on this machine; needs `pip install 'sonde[cluster]'`."""

    def make(nodes: int = 2) -> Any:
        __tracebackhide__ = True
        return _sonde_test.thread.ask(_sonde_test.cluster(nodes), "sonde_cluster()")

    return make


@pytest.fixture
def sonde_proxy(_sonde_test: Stand) -> Callable[..., Any]:
    """`sonde_proxy(upstream, seed=0)`: a proxy in front of a gateway, a cluster or any `ws://` address."""

    def make(upstream: Any = None, *, seed: int = 0) -> Any:
        __tracebackhide__ = True
        return _sonde_test.thread.ask(_sonde_test.proxy(upstream, seed), "sonde_proxy()")

    return make


@pytest.fixture
def sonde_client(_sonde_test: Stand) -> Callable[..., Any]:
    """`sonde_client("ada", rooms=["room:arena"], to=proxy)`: a client that is live, and a witness of its entries.

    `to` is a gateway, a cluster, a proxy or an address, the test's gateway when nothing is said; an address needs a
    `token`. Other options are those of `sonde_client.Client`.
    """

    def make(
        user: str = "ada",
        *,
        rooms: Any = (),
        to: Any = None,
        token: str | None = None,
        roles: Any = ("player",),
        **options: Any,
    ) -> Any:
        __tracebackhide__ = True
        wanted = [rooms] if isinstance(rooms, str) else list(rooms)
        work = _sonde_test.client(user, wanted, to, token, tuple(roles), options)
        return _sonde_test.thread.ask(work, "sonde_client()")

    return make


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Below a failed test: what passed last, why the last connection ended, and where the capture is."""
    report = yield
    seen = item.stash.get(_SEEN, None)
    if seen is not None and report.when == "call" and report.failed:
        stand, recording = seen
        report.sections.append(("Sonde traffic", _told(stand, recording, item.config)))
    return report


def _told(stand: Stand, recording: Recording, config: pytest.Config) -> str:
    """The section's text. Nothing that goes wrong here may hide the test's own failure."""
    from sonde_lab.capture.schema import CaptureFailed
    from sonde_lab.testing.evidence import report

    async def look() -> Any:
        return report(recording), recording.records()

    try:
        lines, rows = stand.thread.run(look(), 30.0)
    except TimeoutError:
        return "The rows cannot be had: the thread of the fixtures does not answer."
    folder = config.getoption("--sonde-captures")
    if not folder:
        return "\n".join(
            [*(lines or ["No row was seen."]), "Run with --sonde-captures DIR to keep all of it."]
        )
    try:
        path = recording.save(Path(folder), rows)
    except CaptureFailed as error:
        return "\n".join([*lines, f"The capture was not saved: {error}"])
    return "\n".join([*lines, f"All {len(rows):,} rows are in {path}; see them with: sonde ui --open {path}"])
