"""The secret of a gateway that was given none: made once, kept in the person's own data folder, readable by them
alone. `sonde gateway` and `sonde token` find the same one there.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

import platformdirs

from sonde_server.config_file import ConfigInvalid
from sonde_server.core.auth import MIN_SECRET_BYTES


def secret_path() -> Path:
    """Where the secret is kept."""
    return Path(platformdirs.user_data_dir("sonde", appauthor=False)) / "gateway.secret"


def load_or_make_secret(path: Path) -> bytes:
    """The secret in `path`, made when there is none.

    Raises:
        ConfigInvalid: it cannot be read or made, others may read it, or it is too short.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make(path)
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigInvalid(
                f"{path} can be read by others: chmod 600 it, or delete it to have a new one made"
            )
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigInvalid(f"the secret in {path} cannot be used: {error.strerror}") from error
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigInvalid(f"the secret in {path} is too short: delete it to have a new one made")
    return secret


def _make(path: Path) -> None:
    """Write a new secret unless there is one. Linked into place whole, so that two starts at once agree."""
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        draft.rename(path) if os.name == "nt" else os.link(draft, path)
    except FileExistsError:
        pass  # somebody else was faster; theirs counts
    finally:
        draft.unlink(missing_ok=True)
