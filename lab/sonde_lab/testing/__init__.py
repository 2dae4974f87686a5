"""Disconnects in tests of a game's own: what `docs/testing.md` describes. The fixtures are in `sonde_lab.pytest_plugin`."""

from sonde_lab.testing.client import Seen, TestClient
from sonde_lab.testing.eventually import eventually
from sonde_lab.testing.expectations import (
    Reconnected,
    expect_close,
    expect_converged,
    expect_no_duplicates,
    expect_no_lost_entries,
    expect_reconnected,
    expect_verdict,
)
from sonde_lab.testing.held import HeldMessage
from sonde_lab.testing.home import TestCluster, TestGateway
from sonde_lab.testing.proxy import TestProxy
from sonde_lab.testing.stand import NotStarted, Stand
from sonde_lab.testing.thread import NotMet

__all__ = [
    "HeldMessage",
    "NotMet",
    "NotStarted",
    "Reconnected",
    "Seen",
    "Stand",
    "TestClient",
    "TestCluster",
    "TestGateway",
    "TestProxy",
    "eventually",
    "expect_close",
    "expect_converged",
    "expect_no_duplicates",
    "expect_no_lost_entries",
    "expect_reconnected",
    "expect_verdict",
]
