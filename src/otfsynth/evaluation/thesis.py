"""Published numbers to lay beside one's own: nnU-Net trained on 500 frozen lab2im volumes, tested on OASIS-3.

Mean Dice per structure over skull-stripped test scans, against FreeSurfer's segmentation; the training maps had four
labels and one Gaussian a tissue. Only the same protocol on the same scans (``docs/oasis3.md``) gives numbers that may
be compared with these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

THESIS_DICE = {
    "T1w": {"GM": 0.797, "WM": 0.877, "CSF": 0.843},
    "T2w": {"GM": 0.505, "WM": 0.735, "CSF": 0.775},
}


def thesis_table() -> pd.DataFrame:
    """Columns contrast, label, dice."""
    import pandas as pd

    rows = [(contrast, label, dice) for contrast, values in THESIS_DICE.items() for label, dice in values.items()]
    return pd.DataFrame(rows, columns=["contrast", "label", "dice"])
