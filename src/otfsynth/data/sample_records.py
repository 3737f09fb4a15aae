"""Records of several samples in one file, as pictures and studies keep beside what they drew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from otfsynth.config.checks import ConfigurationError
from otfsynth.synthesis import SynthesisParameters
from otfsynth.volumes import write_bytes_atomically


def write_records(records: Sequence[SynthesisParameters], path: Path) -> None:
    """A JSON list with one record a line."""
    lines = ",\n".join(record.to_json() for record in records)
    write_bytes_atomically(path, f"[\n{lines}\n]\n".encode())


def read_records(path: Path) -> list[SynthesisParameters]:
    """Read what :func:`write_records` wrote.

    Raises:
        ConfigurationError: the file is not such a list; the message names it.
    """
    try:
        entries = json.loads(path.read_text())
        records = [SynthesisParameters.from_json(json.dumps(entry)) for entry in entries]
    except (ValueError, TypeError, OSError) as error:
        raise ConfigurationError(f"parameters={path} can't be used: {error}") from error
    if not records:
        raise ConfigurationError(f"parameters={path} holds no record; give the .json of a preview")
    return records
