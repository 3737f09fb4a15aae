"""Any other skull-stripper, by the command line that the user would type."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import string
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from otfsynth.inference.skullstrip.mask_folder import checked_mask
from otfsynth.inference.skullstrip.stripper import SkullStripError, Stripper
from otfsynth.volumes import Volume, VolumeError, read_volume, write_volume

PLACES = ("input", "output", "mask")
EXAMPLE = 'stripping.command="tool -i {input} -o {output} -m {mask}"'
SHOWN_LINES = 5


class CommandStripper(Stripper):
    """Runs a program on a copy of each scan and reads the mask that it writes.

    The program is started without a shell. ``{input}`` stands for a NIfTI copy of the scan, ``{mask}`` for the mask to
    write; where the command has no ``{mask}``, what is not 0 in ``{output}`` is brain. All three lie in a temporary
    folder; the program runs in the folder of the user, so that relative paths in the command mean what they seem to.

    Args:
        template: command line with the places to fill in.
        timeout_s: longest time for one scan.

    Raises:
        SkullStripError: places are missing or unknown, or the program is not there.
    """

    name = "command"

    def __init__(self, template: str | None, timeout_s: float = 1800.0) -> None:
        self.words = _words(template)
        self.timeout_s = timeout_s
        self._reads = "mask" if any("{mask}" in word for word in self.words) else "output"
        program = shutil.which(os.path.expanduser(self.words[0]))
        if program is None:
            raise SkullStripError(
                f"stripping.command: there is no program '{self.words[0]}'; install it or give its path"
            )
        self.program = str(Path(program).absolute())  # links stay: the Python of a virtual environment is one
        self.reason = f"the command '{self.words[0]}'"

    def mask(self, volume: Volume, path: Path | None, case: str = "") -> np.ndarray:
        """The brain, see :class:`Stripper`."""
        name = case or volume.name
        with tempfile.TemporaryDirectory(prefix="otfsynth-skullstrip-") as folder:
            files = {place: Path(folder) / f"{place}.nii.gz" for place in PLACES}
            write_volume(files["input"], volume.data, volume.affine, volume.header)
            arguments = [word.format(**{place: str(file) for place, file in files.items()}) for word in self.words[1:]]
            self._run([self.program, *arguments], name)
            return self._read(files[self._reads], volume, name)

    def _run(self, command: list[str], name: str) -> None:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # so that what the program itself starts can be ended with it
        )
        try:
            out, err = process.communicate(timeout=self.timeout_s)
        except subprocess.TimeoutExpired as error:
            raise SkullStripError(
                f"'{self.words[0]}' took longer than {self.timeout_s:g} s for '{name}' and was ended; "
                "set stripping.timeout_s higher"
            ) from error
        finally:
            if process.poll() is None:  # too slow, or Ctrl-C
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        if process.returncode:
            lines = [line for line in (err.strip() or out.strip()).splitlines() if line.strip()][-SHOWN_LINES:]
            said = ":\n    " + "\n    ".join(lines) if lines else " without a word"
            raise SkullStripError(f"'{self.words[0]}' failed for '{name}' with exit code {process.returncode}{said}")

    def _read(self, file: Path, volume: Volume, name: str) -> np.ndarray:
        plain = file.with_suffix("")  # some programs leave out the .gz whatever they are told
        try:
            found = read_volume(plain if plain.is_file() and not file.is_file() else file)
        except VolumeError as error:
            raise SkullStripError(
                f"'{self.words[0]}' left no readable {{{self._reads}}} of '{name}': {error}"
            ) from error
        values = np.nan_to_num(found.data)
        inside = values > 0 if self._reads == "mask" else values != 0
        return checked_mask(inside, found.affine, volume, f"{{{self._reads}}} of {self.words[0]}")


def _words(template: str | None) -> list[str]:
    """The template as words, before anything is filled in, so that spaces in paths split nothing."""
    if not template or not template.strip():
        raise SkullStripError(f"method=command needs the command line, e.g. {EXAMPLE}")
    try:
        words = shlex.split(template)
        places = {name for word in words for _, name, _, _ in string.Formatter().parse(word) if name is not None}
    except ValueError as error:
        raise SkullStripError(
            f"stripping.command={template} can't be read ({error}); write it like {EXAMPLE}"
        ) from error
    unknown = sorted(places.difference(PLACES))
    if unknown:
        raise SkullStripError(
            f"stripping.command has the unknown place {{{unknown[0]}}}; there are {{input}}, {{output}}, {{mask}}"
        )
    if "input" not in places or not places & {"output", "mask"}:
        raise SkullStripError(
            f"stripping.command={template} needs {{input}} and {{mask}} or {{output}}; e.g. {EXAMPLE}"
        )
    return words
