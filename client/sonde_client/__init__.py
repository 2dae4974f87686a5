"""One client's engine, without a window: `from sonde_client import Client`."""

from sonde_client.channel import Channel
from sonde_client.client import Client
from sonde_client.errors import ConnectFailed, Failure, NotSent, OutcomeUnknown, Severity, StreamOverflow
from sonde_client.events import Overflow
from sonde_client.status import Closed, ConnectionStatus, ResumeReport
from sonde_protocol.errors import Refused

__all__ = [
    "Channel",
    "Client",
    "Closed",
    "ConnectFailed",
    "ConnectionStatus",
    "Failure",
    "NotSent",
    "OutcomeUnknown",
    "Overflow",
    "Refused",
    "ResumeReport",
    "Severity",
    "StreamOverflow",
]
