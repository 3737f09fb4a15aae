"""Draw the strips of docs/gallery.md and write the page: ``python scripts/make_gallery.py [--only gamma.std ...]``.

Each strip is what its command draws, with fewer greys, so that the pictures stay small. They come from the embedded
label maps, so that everyone can draw them.
"""

from __future__ import annotations

import argparse
import shlex
import tempfile
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from otfsynth.config.command import Job
from otfsynth.config.compose import compose
from otfsynth.config.preview import PreviewConfig
from otfsynth.preview import preview
from otfsynth.volumes.writing import write_bytes_atomically

DOCS = Path(__file__).resolve().parents[1] / "docs"
PICTURES = DOCS / "images" / "gallery"
GREYS = (64, 32, 24, 16)
"""Numbers of greys, the first that keeps a picture below :data:`MOST_BYTES`."""
MOST_BYTES = 120_000
STILL = tuple(
    f"synthesis.shape_variety.{boundary}=[0,0]" for boundary in ("white_surface_mm", "pial_surface_mm", "ventricles_mm")
)
"""Boundaries that a strip does not vary; the swept one wins."""
KINDS = {
    "blobs": tuple(
        f"synthesis.lesions.kinds.{kind}={share}"
        for kind, share in (("blobs", 1), ("hyperintensities", 0), ("mass", 0), ("stroke", 0))
    )
}
LOOK = ("sweep_planes=[axial]", "sweep_width=176")


class Strip(NamedTuple):
    setting: str
    stage: str
    text: str
    index: int = 2
    more: tuple[str, ...] = ()

    @property
    def overrides(self) -> list[str]:
        look = [word for word in LOOK if not any(more.split("=")[0] == word.split("=")[0] for more in self.more)]
        return ["synthesis=clean", f"sweep={self.setting}", f"index={self.index}", *self.more, *look]

    @property
    def command(self) -> str:
        return " ".join(["python -m otfsynth.preview", *(shlex.quote(word) for word in self.overrides)])

    @property
    def picture(self) -> Path:
        return PICTURES / f"{self.setting}.png"


STRIPS = (
    Strip("affine.rotation_max_deg", "Affine", "Angles are drawn per axis, as are scales, shears and shifts.", 4),
    Strip("velocity_field.std_max_mm", "Velocity field", "A smooth deformation that never folds.", 6),
    Strip(
        "shape_variety.ventricles_mm",
        "Shape variety: ventricles",
        "Their walls move into the tissue around them, or it into them; targets follow.",
        6,
        ("sweep_values=[-1.5,0,1.5,3]", *STILL),
    ),
    Strip(
        "shape_variety.white_surface_mm",
        "Shape variety: cortex",
        "Its border with white matter moves inward where positive, its border with sulcal CSF likewise (not shown).",
        6,
        ("sweep_values=[-0.8,0,0.8,1.5]", *STILL),
    ),
    Strip(
        "contrast.engines.physics",
        "Contrast engines",
        "Share of the samples from MR physics: at 0 the means of the classes are random, at 1 those of a sequence.",
    ),
    Strip(
        "physics.field_strengths_t",
        "MR physics",
        "T1-weighted sequences at four field strengths; each column draws a protocol of its own.",
        more=("sweep_values=[0.064,1.5,3,7]",),
    ),
    Strip("mixture.std_range", "Mixture", "Standard deviation inside every class, around random means."),
    Strip("mixture.mean_range", "Range of means", "Width of the range from which the classes' means are drawn."),
    Strip(
        "partial_volume.width_voxels",
        "Partial volume",
        "Voxels on a border mix the tissues of a cube around their middle.",
        more=("sweep_values=[0,1,2,3]",),
    ),
    Strip("subclasses.mean_std", "Sub-classes", "Pieces of a tissue with means of their own."),
    Strip(
        "texture.smooth_share_max",
        "Texture",
        "Part of the white noise inside a tissue becomes smooth; its variance stays.",
        20,
        ("synthesis.physics.noise_std_max=40",),
    ),
    Strip(
        "heterogeneity.strength_max",
        "Heterogeneity",
        "The mean of each tissue varies slowly.",
        more=("sweep_values=[0,0.1,0.2,0.3]",),
    ),
    Strip("shell.skull_mm", "Shell", "CSF, skull and scalp around maps that hold only the brain.", 17),
    Strip(
        "shell.neck_tissue.half_depth_mm",
        "Neck below the shell",
        "Half the depth, front to back, of muscle and fat around spine and airway, down to the end of the image.",
        278,
        ("sweep_values=[45,53,62]", "sweep_planes=[sagittal]", "data.patch_size=[176,208,224]"),
    ),
    Strip(
        "lesions.contrast",
        "Lesions",
        "Blobs with bumpy edges in white matter; in random contrasts brighter or darker than it by this.",
        37,
        ("sweep_values=[20,50,80,120]", *KINDS["blobs"]),
    ),
    Strip(
        "lesions.hyperintensities.radius_mm",
        "Hyperintensities",
        "Many small lesions beside the ventricles and deep in white matter, here in FLAIR.",
        14,
        ("sweep_values=[1,2,3,4]", "synthesis.physics.contrasts=[FLAIR]"),
    ),
    Strip(
        "lesions.mass.effect",
        "Masses",
        "A core with a dead middle, oedema of the white matter around it, and tissue pushed aside, here in T2w.",
        48,
        (
            "sweep_values=[0,0.3,0.6,0.9]",
            "synthesis.physics.contrasts=[T2w]",
            "synthesis.lesions.mass.oedema_probability=1",
            "synthesis.lesions.mass.necrosis_probability=1",
        ),
    ),
    Strip(
        "lesions.stroke.radius_mm",
        "Strokes",
        "A region of cortex and white matter of one side, here in FLAIR.",
        49,
        ("sweep_values=[8,16,24,32]", "synthesis.physics.contrasts=[FLAIR]"),
    ),
    Strip(
        "skull_strip.edge_offset_mm",
        "Skull-strip",
        "Distance of the mask's edge from the brain's, here with a shell of skull and scalp around it.",
        17,
        ("sweep_values=[-4,-2,0,3,6]", "synthesis.shell.probability=1"),
    ),
    Strip(
        "defacing.gap_mm",
        "Defacing",
        "Distance of an oblique surface from the brain; what is beyond it is exactly 0, what is near the brain stays.",
        17,
        ("sweep_values=[-30,-15,0,15]", "sweep_planes=[sagittal]", "synthesis.shell.probability=1"),
    ),
    Strip(
        "neck.below_brain_mm",
        "Neck",
        "Distance at which the image ends below the brain, here with a shell of skull and scalp around it.",
        17,
        ("sweep_values=[4,12,60]", "sweep_planes=[sagittal]", "synthesis.shell.probability=1"),
    ),
    Strip("field_of_view.share", "Field of view", "Share of an axis that is not imaged.", 7),
    Strip("bias_field.std_max", "Bias field", "Standard deviation of the field's logarithm."),
    Strip("gamma.std", "Gamma", "Standard deviation of the exponent's logarithm.", 5),
    Strip(
        "signal_loss.depth",
        "Signal loss",
        "Blobs beside air and metal.",
        20,
        ("sweep_values=[0,0.35,0.7,1]",),
    ),
    Strip("resolution.anisotropic_spacing_mm", "Resolution", "Thick slices along one axis.", 17),
    Strip(
        "menu.low_field_spacing_mm",
        "Menu",
        "Slices of portable scanners, whose voxels are coarse in all directions.",
        more=("sweep_values=[2,4,6,8]",),
    ),
    Strip(
        "ringing.kept_share",
        "Ringing",
        "Share of the lines of k-space that is acquired; edges echo.",
        8,
        (
            "sweep_values=[0.25,0.35,0.5,0.9]",
            "synthesis.physics.texture_spread=0",
            "synthesis.physics.noise_std_max=0",
            "sweep_width=220",
        ),
    ),
    Strip("motion.shift_std_mm", "Motion", "Moves between the lines of k-space.", 8),
    Strip("ghosting.strength", "Ghosts", "How much weaker every n-th line of k-space is.", 6),
    Strip("spikes.strength", "Spikes", "Wrong points of k-space."),
    Strip("noise.std_max", "Noise", "Rician, as a share of the intensity range.", 13),
    Strip("coils.count", "Coils", "The floor of the noise rises with their number.", 13, ("sweep_values=[1,2,4,8]",)),
    Strip("noise_field.std_max", "Noise field", "Noise of varying strength.", 22),
    Strip("storage.bits", "Storage", "Whole numbers of few bits.", more=("sweep_values=[3,4,5,6,8]",)),
    Strip(
        "channels.rotation_max_deg",
        "Channels",
        "The second of two channels, a T2-weighted scan of the same session, lies more and more off the first.",
        17,
        (
            "sweep_values=[0,4,8,16]",
            "synthesis.channels.count=2",
            "synthesis.channels.relation=joint",
            "synthesis.channels.contrasts=[T1w,T2w]",
            "synthesis.physics.contrasts=[T1w,T2w]",
        ),
    ),
)
"""In the order in which the stages act."""

HEAD = """# Gallery

One sample for each stage of the [generative model](generative_model.md), at several values of one setting. All else is
equal in the columns of a strip: the label map, the random numbers of every stage, the noise. The ground is
`synthesis=clean`, a T1-weighted scan with every random stage off; a strip switches its own stage on. Above the pictures
are the values and, where it is one number, what the sample drew. Grey levels are stretched for each picture by itself.

`sweep=NAME` takes any number or range of `conf/synthesis`, on any `synthesis=`; `sweep_values=[...]` gives the values:

- a range becomes `[value, value]`; by default from its low to its high end;
- a maximum or a standard deviation is set to the value, and what is drawn grows in proportion; by default from 0 to
  twice what is configured;
- a probability is set to the value, by default 0 and 1; those that sum to 1 with it share the rest.

A misspelt name is answered with the valid ones. Settings named `most_...` change how many numbers a stage draws, and so
all of its numbers. The records of the columns are written beside the picture.

`scripts/make_gallery.py` draws this page again; it leaves fewer greys, so that the pictures stay small.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], metavar="SETTING", help="draw these strips; by default all")
    chosen = parser.parse_args().only
    PICTURES.mkdir(parents=True, exist_ok=True)
    for strip in STRIPS:
        if not chosen or strip.setting in chosen:
            print(f"{strip.setting:36} {draw(strip) / 1000:6.1f} kB", flush=True)
    write_bytes_atomically(DOCS / "gallery.md", page().encode())


def draw(strip: Strip) -> int:
    """Draw one strip; the bytes of its picture."""
    with tempfile.TemporaryDirectory() as folder:
        preview(compose(strip.overrides, "preview", PreviewConfig), Job(Path(folder)))
        picture = Image.open(Path(folder) / "sheet.png").convert("L")
    for greys in GREYS:
        file = BytesIO()
        picture.quantize(greys, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        if file.tell() <= MOST_BYTES:
            break
    write_bytes_atomically(strip.picture, file.getvalue())
    return file.tell()


def page() -> str:
    """The text of docs/gallery.md."""
    parts = [
        f"## {strip.stage}\n\n{strip.text}\n\n![{strip.setting}]({strip.picture.relative_to(DOCS)})\n\n"
        f"```bash\n{strip.command}\n```\n"
        for strip in STRIPS
    ]
    return "\n".join([HEAD, *parts])


if __name__ == "__main__":
    main()
