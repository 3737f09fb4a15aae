"""One scan of a list: its file, and what its name and folders say about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Scan:
    """A scan on disk.

    Args:
        path: NIfTI or MGZ file.
        case: name of the case, unique in its list; outputs are named after it.
        subject: e.g. ``OAS30001``, without ``sub-``; empty where the name says nothing.
        session: e.g. ``d0129``, without ``ses-``; empty where the name says nothing.
        contrast: BIDS suffix such as ``T1w``, ``T2w``, ``FLAIR``; empty where the name says nothing.
        entities: BIDS entities in the order of the name, e.g. ``(("sub", "01"), ("run", "02"))``; else empty.
        folder: folder below the root of the list, mirrored by outputs in BIDS derivatives; ``Path()`` for flat outputs.
        channels: images of the head that a network of several channels takes, in its order, ``None`` where one is
            missing; ``path`` is the first that is not. Empty for a network of one.
    """

    path: Path
    case: str
    subject: str = ""
    session: str = ""
    contrast: str = ""
    entities: tuple[tuple[str, str], ...] = ()
    folder: Path = Path()
    channels: tuple[Path | None, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the case, the one at ``path`` first."""
        return tuple(path for path in self.channels if path is not None) or (self.path,)
