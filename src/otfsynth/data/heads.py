"""Finding heads: the images of one session together, as a network of several channels takes them.

Joined by semicolons (``T1.nii.gz;FLAIR.nii.gz``, nothing where one is missing) in ``input`` or in a list, by nnU-Net's
``_0000``, ``_0001`` in a folder, or by subject, session and contrast in a folder, a BIDS or an OASIS-3 tree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from otfsynth.config.checks import ConfigurationError
from otfsynth.data.layouts import LeftOut
from otfsynth.data.scan import Scan
from otfsynth.data.scan_lists import JOIN, LIST_SUFFIXES, ScanListError, head_of_files
from otfsynth.data.scan_names import channel_number, without_contrast
from otfsynth.data.scans import ScanList, find_scans, with_unique_cases
from otfsynth.volumes import volume_stem

SHOWN = 5
"""Heads named in a message about missing images."""


@dataclass(frozen=True)
class ImageChannels:
    """Images of a head that a network takes.

    Args:
        count: how many.
        contrasts: of each, where known, in the network's order; else empty.
        may_miss: whether it was trained with missing images.
    """

    count: int
    contrasts: tuple[str, ...] = ()
    may_miss: bool = True


def find_heads(input: str, layout: str, channels: ImageChannels) -> ScanList:
    """List the heads that ``input`` names, with all images of each.

    Args:
        input: as of :func:`~otfsynth.data.scans.find_scans`, or files joined by semicolons.
        layout: as of :func:`~otfsynth.data.scans.find_scans`.
        channels: what the network takes; of one, every scan is a head of its own.

    Raises:
        ScanListError: nothing is there, or a head has other images than the network takes.
        ConfigurationError: nothing tells which image is which channel.
    """
    if JOIN in input and not Path(input).expanduser().exists():
        head, problems = head_of_files(input, Path(), channels.count)
        if head is None:
            raise ScanListError(f"input={input}: {'; '.join(problems)}")
        found = ScanList((head,), "scan", head.path.parent)
    elif channels.count == 1:
        return find_scans(input, layout)
    elif layout in ("auto", "list") and Path(input).suffix.lower() in LIST_SUFFIXES:
        found = find_scans(input, layout, channels.count)
    else:
        found = _grouped(find_scans(input, layout), channels)
    _check_missing(found.scans, channels)
    return found


def _grouped(found: ScanList, channels: ImageChannels) -> ScanList:
    skipped: list[LeftOut] = []
    if found.layout == "folder" and any(channel_number(volume_stem(scan.path))[1] == 0 for scan in found.scans):
        heads = _by_number(found.scans, channels, skipped)
    elif not channels.contrasts:
        raise ConfigurationError(
            f"the checkpoint takes {channels.count} images of a head and does not say which is which; name their "
            "contrasts in its order, e.g. channels=[T1w,FLAIR], or give a list whose lines join the files of a head by "
            f"'{JOIN}'"
        )
    else:
        heads = _by_contrast(found.scans, channels, skipped)
    if not heads:
        left_out = "\n".join(f"  {entry}" for entry in skipped[:SHOWN])
        raise ScanListError(f"'{found.root}' holds no head for this checkpoint. Left out:\n{left_out}")
    return replace(found, scans=tuple(heads), skipped=(*found.skipped, *map(str, skipped)))


def _by_number(scans: Sequence[Scan], channels: ImageChannels, skipped: list[LeftOut]) -> list[Scan]:
    """Heads of nnU-Net's names; those after the number are cases."""
    heads: dict[tuple[Path, str], list[Path | None]] = {}
    first: dict[tuple[Path, str], Scan] = {}
    for scan in scans:
        case, number = channel_number(volume_stem(scan.path))
        if number is None:
            skipped.append(LeftOut(scan.path, "its name ends in no number of a channel, such as _0000"))
            continue
        if number >= channels.count:
            raise ScanListError(
                f"'{scan.path}' is channel {number} by its name, and the checkpoint takes {channels.count} (0 to "
                f"{channels.count - 1}); leave it out, or give a list whose lines join the files of a head by '{JOIN}'"
            )
        key = (scan.path.parent, case)
        heads.setdefault(key, [None] * channels.count)[number] = scan.path
        first.setdefault(key, replace(scan, case=case))  # scans come in the order of their names
    return with_unique_cases([replace(first[key], channels=tuple(paths)) for key, paths in heads.items()])


def _by_contrast(scans: Sequence[Scan], channels: ImageChannels, skipped: list[LeftOut]) -> list[Scan]:
    """Heads of subject and session, or of a folder and what the names of its files have in common."""
    wanted = [_plain(contrast) for contrast in channels.contrasts]
    if len(set(wanted)) < len(wanted):
        raise ConfigurationError(
            f"several channels are {' and '.join(channels.contrasts)}, so that names don't tell which image is which; "
            f"give a list whose lines join the files of a head by '{JOIN}'"
        )
    groups: dict[tuple[str, str], list[Scan]] = defaultdict(list)
    for scan in scans:
        if _plain(scan.contrast) in wanted:
            groups[_head_of(scan)].append(scan)
        else:
            names = ", ".join(channels.contrasts)
            reason = f"'{scan.contrast}' is none of {names}" if scan.contrast else "its name says no contrast"
            skipped.append(LeftOut(scan.path, reason))
    heads = []
    for group in groups.values():
        chosen: dict[str, Scan] = {}
        # A plain scan before special ones (acq-, rec-), the first run before others
        for scan in sorted(group, key=lambda scan: (len(scan.entities), scan.path)):
            kept = chosen.setdefault(_plain(scan.contrast), scan)
            if kept is not scan:
                skipped.append(LeftOut(scan.path, f"'{kept.path}' is the {kept.contrast} of the same head"))
        images = [chosen.get(contrast) for contrast in wanted]
        first = next(image for image in images if image is not None)
        heads.append(replace(first, channels=tuple(None if image is None else image.path for image in images)))
    return heads


def _head_of(scan: Scan) -> tuple[str, str]:
    if scan.subject:
        return scan.subject, scan.session
    return str(scan.path.parent), without_contrast(volume_stem(scan.path))


def _check_missing(heads: Sequence[Scan], channels: ImageChannels) -> None:
    lacking = [head for head in heads if None in head.channels]
    if not lacking or channels.may_miss:
        return
    lines = []
    for head in lacking[:SHOWN]:
        numbers = [number for number, path in enumerate(head.channels) if path is None]
        names = [channels.contrasts[number] if channels.contrasts else str(number) for number in numbers]
        lines.append(f"  {head.case}: channel {', '.join(names)}")
    more = [f"  and {len(lacking) - SHOWN} more"] if len(lacking) > SHOWN else []
    raise ScanListError(
        f"{len(lacking)} of {len(heads)} head(s) lack images, and the checkpoint was trained with "
        "synthesis.channels.missing_probability=0, on complete ones alone; leave them out, or train with missing "
        "channels:\n" + "\n".join(lines + more)
    )


def _plain(contrast: str) -> str:
    """One spelling of ``T1``, ``T1w``; ``T2*w``, ``T2star``, ``T2starw``."""
    return contrast.upper().replace("*", "STAR").removesuffix("W")
