"""Prepared label maps on disk, so that a second start takes no time."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import uuid
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from otfsynth.data.boundaries import Boundary
from otfsynth.data.prepare import PreparedMap
from otfsynth.labels import LabelScheme

PREPARATION_VERSION = 3
"""Raised whenever preparation changes what it returns, so that older entries are not read."""
BOUNDARIES_VERSION = 2
"""The same for :func:`otfsynth.data.boundaries.boundary_maps`."""

logger = logging.getLogger(__name__)

Entry = TypeVar("Entry")


def default_cache_dir() -> Path:
    """``$OTFSYNTH_CACHE``, else ``~/.cache/otfsynth``."""
    return Path(os.environ.get("OTFSYNTH_CACHE") or "~/.cache/otfsynth").expanduser()


def cache_key(fingerprint: str, scheme: LabelScheme, spacing_mm: float) -> str:
    """Name of a cache entry: changes with the map, with what the scheme reads from it, with spacing and recipe."""
    ingredients = [
        fingerprint,
        scheme.generation_labels,
        scheme.target_labels,
        scheme.extracerebral_labels,
        scheme.unlisted,
        spacing_mm,
        PREPARATION_VERSION,
    ]
    return hashlib.sha256(json.dumps(ingredients).encode()).hexdigest()[:32]


def boundaries_key(key: str, boundaries: Sequence[Boundary]) -> str:
    """Name of the entry of a map's movable boundaries, from that of the map itself."""
    ingredients = [key, boundaries, BOUNDARIES_VERSION]
    return hashlib.sha256(json.dumps(ingredients).encode()).hexdigest()[:32]


class PreparedMapCache:
    """A folder of prepared maps; a missing, damaged or unwritable entry only costs time.

    Args:
        folder: made when first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> PreparedMap | None:
        """Read an entry; ``None`` where it is missing or damaged (each array carries a CRC-32)."""
        return self._read(key, _prepared_map)

    def get_arrays(self, key: str, names: Sequence[str]) -> tuple[np.ndarray, ...] | None:
        """Read arrays that :meth:`put_arrays` wrote; ``None`` where the entry is missing or damaged."""
        return self._read(key, lambda arrays: tuple(arrays[name] for name in names))

    def _read(self, key: str, read: Callable[[Any], Entry]) -> Entry | None:
        path = self._path(key)
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return read(arrays)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            logger.warning("cache entry %s is damaged (%s); preparing its label map again", path, error)
            return None

    def put(self, key: str, prepared: PreparedMap) -> None:
        """Write an entry; a folder that can't be written is reported and otherwise ignored."""
        arrays: dict[str, Any] = {
            f"foreground_{value}": voxels for value, voxels in enumerate(prepared.foreground, start=1)
        }
        arrays |= {"indices": prepared.indices, "brain_distance": prepared.brain_distance, "affine": prepared.affine}
        more = {"second": prepared.second, "share": prepared.share, "image": prepared.image}
        arrays |= {name: array for name, array in more.items() if array is not None}
        if prepared.image is not None:
            arrays |= {"contrast": np.array(prepared.contrast), "masked": np.array(prepared.masked)}
        self.put_arrays(key, targets=np.array(len(prepared.foreground) + 1), **arrays)

    def put_arrays(self, key: str, **arrays: np.ndarray) -> None:
        """Write arrays by name, as :meth:`put` does."""
        path = self._path(key)
        buffer = io.BytesIO()
        named: dict[str, Any] = dict(arrays)
        np.savez(buffer, **named)
        # Whoever prepares the same map, also on another machine that shares the folder, writes a file of its own, then
        # renames it: the last one wins
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(buffer.getbuffer())
            os.replace(part, path)
        except OSError as error:
            logger.warning("can't keep prepared label maps in %s (%s); set data.cache_dir", self.folder, error)
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"


def _prepared_map(arrays: Any) -> PreparedMap:
    foreground = tuple(arrays[f"foreground_{value}"] for value in range(1, int(arrays["targets"])))
    more: dict[str, Any] = {name: arrays[name] for name in ("second", "share", "image") if name in arrays}
    if "contrast" in arrays:
        more |= {"contrast": str(arrays["contrast"]), "masked": bool(arrays["masked"])}
    return PreparedMap(arrays["indices"], arrays["brain_distance"], foreground, arrays["affine"], **more)
