"""What ``python -m otfsynth.oasis3`` writes: the table of sessions, the lists of a split and how it was made."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from otfsynth.data.oasis3 import CONTRASTS, Oasis3, Oasis3Error, Session
from otfsynth.data.oasis3_split import Oasis3Split
from otfsynth.volumes import csv_bytes, write_bytes_atomically, write_csv_atomically

TABLE_COLUMNS = ("session", "subject", "day", *CONTRASTS, "other", "segmentation", "missing", "problems")
TRAINING_COLUMNS = ("label_map", "subject")
TESTING_COLUMNS = ("image", "label", "contrast", "case", "subject", "session")
LINE_END = "\n"
TRAINING, TESTING, RECORD = "training.csv", "testing.csv", "split.json"


def write_table(path: Path, data: Oasis3, problems: Mapping[Path, str]) -> Path:
    """One row a session: number of scans of each contrast, segmentation, what is missing, damaged files."""
    return write_csv_atomically(
        path, TABLE_COLUMNS, [table_row(session, problems) for session in data.sessions], LINE_END
    )


def table_row(session: Session, problems: Mapping[Path, str]) -> list[str]:
    """Cells of :data:`TABLE_COLUMNS`."""
    counts = [len(session.of_contrast(contrast)) for contrast in CONTRASTS]
    files = [scan.path for scan in session.scans] + ([session.segmentation] if session.segmentation else [])
    return [
        session.name,
        session.subject,
        session.day,
        *(str(count) for count in counts),
        str(len(session.scans) - sum(counts)),
        absolute(session.segmentation) if session.segmentation else "",
        " ".join(session.missing()),
        "; ".join(problems[file] for file in files if file in problems),
    ]


def write_split(folder: Path, split: Oasis3Split, settings: Mapping[str, object]) -> list[Path]:
    """Write ``training.csv`` (for ``data.label_maps``), ``testing.csv`` and ``split.json``; paths in them are absolute.

    Args:
        folder: made where it is missing.
        split: both sides.
        settings: what decided it, for the record.

    Raises:
        Oasis3Error: the folder holds another split, which results may stand on.
    """
    training = csv_bytes(
        TRAINING_COLUMNS, [(absolute(item.label_map), item.subject) for item in split.training], LINE_END
    )
    tests = [(item.scan, absolute(item.scan.path), absolute(item.label)) for item in split.testing]
    rows = [(image, label, scan.contrast, scan.case, scan.subject, scan.session) for scan, image, label in tests]
    testing = csv_bytes(TESTING_COLUMNS, rows, LINE_END)
    record = {
        **settings,
        "training_label_maps": len(split.training),
        "testing_scans": len(split.testing),
        "testing_contrasts": split.contrasts(),
        "training_subjects": [item.subject for item in split.training],
        "testing_subjects": sorted({item.scan.subject for item in split.testing}),
    }
    contents = {TRAINING: training, TESTING: testing, RECORD: (json.dumps(record, indent=2) + "\n").encode()}
    for name in (TRAINING, TESTING):
        if (folder / name).is_file() and (folder / name).read_bytes() != contents[name]:
            raise Oasis3Error(
                f"'{folder / name}' is of another split, which results may stand on; give another output, or remove it"
            )
    return [write_bytes_atomically(folder / name, payload) for name, payload in contents.items()]


def absolute(path: Path) -> str:
    """Absolute path without ``..``; links stay as they are."""
    return os.path.abspath(path)
