"""How this process logs: one line a happening on stderr, as key=value or as JSON.

Only the composition root calls this; everyone else uses the standard library's loggers. Whatever a peer managed
to put into a value is escaped (CR, LF, ESC and every other control), and secrets are masked.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, Final, Literal, TextIO

import structlog

from sonde_protocol.redact import is_secret_key, mask, redact_text

_FIRST: Final = ("timestamp", "level", "logger", "event")


def configure_logs(
    form: Literal["text", "json"], level: str, stream: TextIO | None = None
) -> logging.Handler:
    """Send everything from `level` on to `stream` (stderr). Returns the handler, for whoever wants it back out."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _redacted,
                _as_json if form == "json" else _as_text,
            ],
        )
    )
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level.upper())
    return handler


def _redacted(_logger: Any, _method: str, event: Any) -> Any:
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: Any) -> Any:
    if isinstance(value, str) and is_secret_key(key):
        return mask(value)
    if isinstance(value, int | float) or value is None:
        return value
    return redact_text(str(value))


def _escaped(value: Any) -> str:
    """JSON in ASCII escapes every control but DEL."""
    return json.dumps(value, ensure_ascii=True, default=str).replace("\x7f", "\\u007f")


def _as_json(_logger: Any, _method: str, event: Any) -> str:
    return _escaped(_ordered(event))


def _as_text(_logger: Any, _method: str, event: Any) -> str:
    return " ".join(f"{key}={_word(value)}" for key, value in _ordered(event).items())


def _word(value: Any) -> str:
    text = str(value)
    plain = text.isascii() and text.isprintable() and text and not set(text) & {" ", '"', "="}
    return text if plain else _escaped(value)


def _ordered(event: Any) -> dict[str, Any]:
    first = {key: event[key] for key in _FIRST if key in event}
    return first | {key: value for key, value in sorted(event.items()) if key not in first}
