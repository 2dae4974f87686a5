"""Which handler does which command.

A handler gets (hub, session, connection, frame, repeat) and returns the reply's `d`, or None when it has
answered or will answer itself. It refuses by raising `Refused`. `repeat`: the number may have been sent before.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, Final

from sonde_protocol.frames import (
    Auth,
    Fault,
    History,
    Kick,
    Patch,
    Publish,
    SetPresence,
    Subscribe,
    Sync,
    Tap,
    Unsubscribe,
    Untap,
)
from sonde_server.core.commands.account import auth
from sonde_server.core.commands.channels import history, subscribe, sync, unsubscribe
from sonde_server.core.commands.monitoring import fault, kick, tap, untap
from sonde_server.core.commands.presence import set_presence
from sonde_server.core.commands.publishing import patch, publish

Handler = Callable[..., Coroutine[Any, Any, dict[str, Any] | None]]

HANDLERS: Final[Mapping[type, Handler]] = MappingProxyType(
    {
        Publish: publish,
        Patch: patch,
        Subscribe: subscribe,
        Unsubscribe: unsubscribe,
        SetPresence: set_presence,
        History: history,
        Sync: sync,
        Auth: auth,
        Tap: tap,
        Untap: untap,
        Kick: kick,
        Fault: fault,
    }
)
