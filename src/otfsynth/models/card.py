"""The model card: what ``model.json`` holds, for people."""

from __future__ import annotations

from typing import Any

from otfsynth.labels import LabelScheme

CARD_TEMPLATE = "card.jinja"
LIMITS = (
    "Not a medical device; for research. Look at every result (`index.html`).",
    "Anatomies of children, of severe atrophy and of resections are not among those trained on.",
    "It expects the brain alone: whole heads are skull-stripped first, and errors of that step are kept.",
)
NO_LESIONS = (
    "Lesions are counted with the tissue that they lie in, or are mistaken for another; they are no structure of "
    "their own."
)


def render_card(description: dict[str, Any]) -> str:
    """Markdown of ``MODEL_CARD.md``.

    Args:
        description: what :func:`otfsynth.networks.model_folder.write_model_folder` returned, with the entries that
            :mod:`otfsynth.export` adds: ``training``, ``results``, ``limits``, ``licence``, ``notes``.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("otfsynth.models", "."), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    return environment.get_template(CARD_TEMPLATE).render(
        **description,
        trained_on=trained_on,
        ranges=ranges(description["config"].get("synthesis", {})),
        tables=[result_table(result) for result in description["results"]],
    )


def trained_on(config: dict[str, Any], runs: int) -> str:
    """What the images were, by the configuration of the training, the last of ``runs`` that the card lists."""
    data = config.get("data", {})
    share = data.get("real_training_probability", 0.0) if data.get("real_training") else 0.0
    if share > 0:
        return (
            f"Trained on images that otfsynth drew while training and on real scans with their labels, {share:.0%} of "
            "the samples."
        )
    words = (
        "Trained on synthetic images alone, which\notfsynth drew while training: no real scan, and no label of one, "
        "was trained on"
    )
    start = config.get("initial_weights") if runs < 2 else None
    return f"{words}, in the run below, which began with the weights of `{start}`." if start else f"{words}."


def limits(config: dict[str, Any], scheme: LabelScheme) -> list[str]:
    """What every such model can't do, and what this one can't."""
    known = list(LIMITS)
    if config.get("synthesis", {}).get("lesions", {}).get("target") is None:
        known.append(NO_LESIONS)
    targets = dict(zip(scheme.generation_labels, scheme.target_labels, strict=True))
    if all(targets[left] == targets[right] for left, right in scheme.sided_pairs):
        known.append("Sides are not told apart.")
    return known


def ranges(synthesis: dict[str, Any]) -> list[tuple[str, str]]:
    """One row per stage of the generative model: its name and its settings, those that are null left out."""
    return [
        (stage, ", ".join(_settings(settings)) if isinstance(settings, dict) else _plain(settings))
        for stage, settings in synthesis.items()
    ]


def result_table(result: dict[str, Any]) -> dict[str, Any]:
    """A report of :func:`otfsynth.models.results.read_report` as a table.

    Returns:
        ``title``, ``labels``, ``rows`` of contrast, n, one text per label and their mean, and ``agreement``.
    """
    labels = list(dict.fromkeys(row["label"] for row in result["dice"]))
    rows = []
    for contrast in dict.fromkeys(row["contrast"] for row in result["dice"]):
        own = {row["label"]: row for row in result["dice"] if row["contrast"] == contrast}
        means = [own[label]["mean"] if label in own else None for label in labels]
        known = [mean for mean in means if mean is not None]
        mean = sum(known) / len(known) if known else None
        rows.append((contrast, max(row["n"] for row in own.values()), [_dice(value) for value in means], _dice(mean)))
    return {"title": result["title"], "labels": labels, "rows": rows, "agreement": result["agreement"]}


def _dice(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _settings(settings: dict[str, Any], prefix: str = "") -> list[str]:
    words: list[str] = []
    for name, value in settings.items():
        if isinstance(value, dict):
            words += _settings(value, f"{prefix}{name}.")
        elif value not in (None, []):
            words.append(f"{prefix}{name} {_plain(value)}")
    return words


def _plain(value: Any) -> str:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(part, (int, float)) for part in value):
        return f"{value[0]:g} to {value[1]:g}"
    if isinstance(value, list):
        return "[" + ", ".join(_plain(part) for part in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
