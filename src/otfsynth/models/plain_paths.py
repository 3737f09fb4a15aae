"""Configurations and commands as others may read them: without the folders of the machine that ran them."""

from __future__ import annotations

import re
from typing import Any

ABSOLUTE = re.compile(r"(?<![\w.~/])(?:~|/)[^\s,:;'\"\]\[(){}]*/([^\s/,:;'\"\]\[(){}]+)/?")
"""An absolute path, or one from the home folder, anywhere in a text; its last part."""


def without_folders(value: Any) -> Any:
    """Shorten the absolute paths in plain data to their last part: ``/home/me/maps/a.csv`` becomes ``a.csv``.

    Args:
        value: dictionaries, lists, texts and numbers.
    """
    if isinstance(value, dict):
        return {key: without_folders(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_folders(item) for item in value]
    return ABSOLUTE.sub(r"\1", value) if isinstance(value, str) else value
