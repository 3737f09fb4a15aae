"""OASIS-3 as text: one line a session, and counts of what is there and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from otfsynth.data.oasis3 import Oasis3, Session

REASONS_SHOWN = 10
LINE = "{:<19} {:<34} {:<12} {}"


def session_lines(data: Oasis3) -> list[str]:
    """A heading, then each session with its scans, segmentation and what is missing."""
    lines = [LINE.format("session", "scans", "segmentation", "missing")]
    for session in data.sessions:
        counts = Counter(scan.contrast for scan in session.scans)
        scans = ", ".join(f"{name} x{count}" if count > 1 else name for name, count in sorted(counts.items()))
        segmentation = session.segmentation.name.split(".")[0] if session.segmentation else "-"
        lines.append(LINE.format(session.name, scans or "-", segmentation, ", ".join(session.missing()) or "-"))
    return lines


def summary_lines(data: Oasis3) -> list[str]:
    """Sessions and subjects in all, of each contrast, with a segmentation; what was left out and why."""
    lines = [f"{_people(data.sessions)} in {data.root}"]
    contrasts = Counter(scan.contrast for session in data.sessions for scan in session.scans)
    for contrast, count in sorted(contrasts.items(), key=lambda item: (-item[1], item[0])):
        people = _people([session for session in data.sessions if session.of_contrast(contrast)])
        lines.append(f"  {contrast:<16} {count} scan(s), {people}")
    lines.append(f"  {'segmentation':<16} {_people([session for session in data.sessions if session.segmentation])}")
    lines.append(
        f"  {'nothing missing':<16} {_people([session for session in data.sessions if not session.missing()])}"
    )
    reasons = Counter(left_out.reason for left_out in data.skipped).most_common()
    lines += ["left out:"] if reasons else []
    lines += [f"  {f'{count} item(s)':<16} {reason}" for reason, count in reasons[:REASONS_SHOWN]]
    lines += [f"  and {len(reasons) - REASONS_SHOWN} more reason(s)"] if len(reasons) > REASONS_SHOWN else []
    return lines


def _people(sessions: Sequence[Session]) -> str:
    return f"{len(sessions)} session(s) of {len({session.subject for session in sessions})} subject(s)"
