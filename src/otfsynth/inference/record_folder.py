"""Records in an output folder, one file a case, so that several processes may work there on cases of their own.

Whatever is made of all cases (tables, pages) is made from these files right before it is written, never from what a
process remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

R = TypeVar("R")
RECORDS = "qc"
"""Folder of the records, beside the pictures."""


class RecordFolder(Generic[R]):
    """Records of one kind, whichever process wrote them; files that have not changed are read once.

    Args:
        output: folder of the results.
        ending: of the names of the records, behind the case.
        read: what is in a file; ``None`` where it is no record of this kind.
    """

    def __init__(self, output: Path, ending: str, read: Callable[[Path], R | None]) -> None:
        self.folder = output / RECORDS
        self.ending = ending
        self._read = read
        self._known: dict[Path, tuple[tuple[int, ...], R | None]] = {}

    def path(self, case: str) -> Path:
        """The record of a case, be it there or not."""
        return self.folder / f"{case}{self.ending}"

    @property
    def records(self) -> list[R]:
        """Those found by the last :meth:`refresh`, sorted by their file names."""
        return [record for _, record in self._known.values() if record is not None]

    def refresh(self) -> dict[Path, tuple[int, ...]]:
        """Look for new, changed and removed files.

        Returns:
            Files with what tells one state from another.
        """
        found = {}
        for path in sorted(self.folder.glob(f"*{self.ending}")):
            try:
                status = path.stat()
            except FileNotFoundError:  # another process does that case again
                continue
            stamp = status.st_mtime_ns, status.st_size, status.st_ino
            known = self._known.get(path)
            found[path] = known if known is not None and known[0] == stamp else (stamp, self._read(path))
        self._known = found
        return {path: stamp for path, (stamp, _) in found.items()}


def tabulate(folders: Sequence[RecordFolder[Any]], write: Callable[[], None]) -> None:
    """Write what is made of records; again, where another process has finished a case meanwhile.

    So the last table that any of several processes writes lists the cases of all of them, without locks.

    Args:
        folders: whose records enter; they are up to date when ``write`` is called.
        write: called at least once.
    """
    while True:
        before = [folder.refresh() for folder in folders]
        write()
        if before == [folder.refresh() for folder in folders]:
            return
