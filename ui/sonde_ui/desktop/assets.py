"""Where the fonts, icons and pictures are: in the checkout's `assets/`, or beside the installed package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
# An installed wheel carries its own copy; a checkout is read as it lies, so that an edited icon shows at once.
_FOLDERS = (_PACKAGE / "assets", _PACKAGE.parents[1] / "assets")


@cache
def asset(path: str) -> Path:
    """The file `path` of the assets, such as `icons/mark.svg`.

    Raises:
        FileNotFoundError: neither place has it; says where it was looked for.
    """
    for folder in _FOLDERS:
        if (folder / path).is_file():
            return folder / path
    raise FileNotFoundError(
        f"{path} is neither in {_FOLDERS[0]} nor in {_FOLDERS[1]}: the installation is damaged"
    )
