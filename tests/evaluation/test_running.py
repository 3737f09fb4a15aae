"""Whole evaluations in memory: outcomes in order, bad cases, agreement, summary.json through nnU-Net's own loader."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from otfsynth.config.checks import InputError
from otfsynth.config.evaluate import EvaluateConfig
from otfsynth.evaluation.agreement import agreement_table, session_agreement, sessions_of
from otfsynth.evaluation.label_names import describe_labels
from otfsynth.evaluation.pairing import pair
from otfsynth.evaluation.planning import plan_evaluation
from otfsynth.evaluation.result import METRICS, ScoredCase
from otfsynth.evaluation.running import exchanged_labels, run_evaluation
from otfsynth.evaluation.scoring import ScoringRules, score_pairs
from otfsynth.evaluation.summary_json import read_summary, write_summary
from otfsynth.evaluation.targets import TargetMap
from tests.evaluation.volumes import AFFINE, CSF, GM, WM, head, write

TARGETS = TargetMap({value: value for value in range(4)}, "labels")
NAMES = ("background", "GM", "WM", "CSF")
RULES = ScoringRules(NAMES, TARGETS, TARGETS)


def config(folder: Path, **given: object) -> EvaluateConfig:
    settings = {"references": str(folder / "r"), "output": str(folder / "out"), "workers": 1, "bootstrap_samples": 100}
    return EvaluateConfig(**{"predictions": str(folder / "p"), **settings, **given})  # type: ignore[arg-type]


def run(settings: EvaluateConfig):  # type: ignore[no-untyped-def]
    folder = Path(settings.output)
    folder.mkdir()
    return run_evaluation(plan_evaluation(settings), settings, folder)


def value(result, case: str, label: str, metric: str) -> float:  # type: ignore[no-untyped-def]
    table = result.metrics
    return float(table[(table.case == case) & (table.label == label) & (table.metric == metric)]["value"].iloc[0])


def test_a_bad_case_is_named_and_the_others_are_scored(tmp_path: Path) -> None:
    for case, shift in (("a", 0), ("c", 1), ("b", 2)):
        write(tmp_path / "p" / f"{case}_dseg.nii.gz", head(shift=shift))
        write(tmp_path / "r" / f"{case}.nii.gz", head())
    (tmp_path / "p" / "b_dseg.nii.gz").write_bytes(b"no image")
    write(tmp_path / "p" / "d_dseg.nii.gz", head())
    result = run(config(tmp_path))
    assert [one.case for one in result.scored] == ["a", "c"]
    assert len(result.problems) == 2
    assert "d_dseg.nii.gz' has no reference" in result.problems[0]
    assert result.problems[1].startswith("b: '")
    assert value(result, "a", "GM", "dice") == 1.0
    # WM is a shell 10^3 - 4^3; moved by 1 along x it loses and gains a face of 10^2 outside and 4^2 inside
    assert value(result, "c", "WM", "dice") == pytest.approx(1 - (100 + 16) / (1000 - 64))
    assert value(result, "c", "CSF", "hd95_mm") == 1.0
    assert value(result, "c", "CSF", "volume_mm3") == 64.0
    assert result.confusion["c"].sum() == 24**3
    assert len(result.metrics) == 2 * 3 * len(METRICS)


def test_finished_cases_are_on_disk_when_a_later_one_stops_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for case in "ab":
        write(tmp_path / "p" / f"{case}.nii.gz", head())
        write(tmp_path / "r" / f"{case}.nii.gz", head())
    import otfsynth.evaluation.scoring as scoring

    real = scoring.score_pair

    def stop_at_b(one, *rest):  # type: ignore[no-untyped-def]
        if one.case == "b":
            raise KeyboardInterrupt
        return real(one, *rest)

    monkeypatch.setattr(scoring, "score_pair", stop_at_b)
    with pytest.raises(KeyboardInterrupt):
        run(config(tmp_path))
    lines = (tmp_path / "out" / "metrics.csv").read_text().splitlines()
    assert lines[0] == "case,subject,session,contrast,label,metric,value"
    assert len(lines) == 1 + 3 * len(METRICS)
    assert lines[1].startswith("a,a,,,GM,dice,1.0")


def test_two_processes_give_the_same_outcomes_in_the_same_order(tmp_path: Path) -> None:
    for case, shift in (("a", 2), ("b", 0), ("c", 1)):
        write(tmp_path / "p" / f"{case}.nii.gz", head(shift=shift))
        write(tmp_path / "r" / f"{case}.nii.gz", head())
    (tmp_path / "p" / "b.nii.gz").write_bytes(b"")
    pairs = plan_evaluation(config(tmp_path, reference_labels={1: 1, 2: 2, 3: 3})).pairing.pairs
    one, two = (list(score_pairs(pairs, RULES, {}, workers)) for workers in (1, 2))
    assert [outcome.pair.case for outcome in two] == ["a", "b", "c"]
    for first, second in zip(one, two, strict=True):
        assert first.problem == second.problem
        assert (first.scores is None) == (second.scores is None)
        if first.scores is not None and second.scores is not None:
            assert first.scores.metrics == second.scores.metrics


def test_labels_of_predictions_that_do_not_count_are_left_out(tmp_path: Path) -> None:
    labels = head()
    labels[4:7, 4:20, 4:20] = 9  # a face of the cube of GM: neither for nor against
    for contrast in ("T1w", "T2w"):
        write(tmp_path / "p" / f"sub-1_{contrast}_dseg.nii.gz", labels)
    write(tmp_path / "r" / "sub-1_dseg.nii.gz", head())
    result = run(config(tmp_path, prediction_labels={1: 1, 2: 2, 3: 3, 9: 255}))
    assert result.problems == ()
    assert value(result, "sub-1_T1w", "GM", "dice") == 1.0
    assert value(result, "sub-1_T1w", "GM", "reference_volume_mm3") == (head() == GM).sum() - 3 * 16 * 16
    assert set(result.agreement["dice"]) == {1.0}


def test_a_session_that_cannot_be_compared_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for subject in (1, 2):
        for contrast in ("T1w", "T2w"):
            write(tmp_path / "p" / f"sub-{subject}_{contrast}_dseg.nii.gz", head())
        write(tmp_path / "r" / f"sub-{subject}_dseg.nii.gz", head())
    import otfsynth.evaluation.running as running

    real = running.session_agreement

    def failing(session, *rest):  # type: ignore[no-untyped-def]
        if session.subject == "1":
            raise ZeroDivisionError("by 0")
        return real(session, *rest)

    monkeypatch.setattr(running, "session_agreement", failing)
    result = run(config(tmp_path))
    assert result.problems == ("agreement of 1: ZeroDivisionError: by 0",)
    assert set(result.agreement["subject"]) == {"2"}
    assert result.summary is not None


def test_lists_say_what_must_be_there_and_folders_what_may(tmp_path: Path) -> None:
    for case in ("a", "b"):
        write(tmp_path / "p" / f"{case}.nii.gz", head())
    for case in ("b", "c"):
        write(tmp_path / "r" / f"{case}.nii.gz", head())
    plan = plan_evaluation(config(tmp_path))
    assert plan.problems == (f"'{tmp_path / 'p' / 'a.nii.gz'}' has no reference",)
    assert any("1 reference(s) have no prediction: c" in note for note in plan.notes)
    (tmp_path / "list.csv").write_text("image,label\nx/b.nii.gz,r/b.nii.gz\nx/c.nii.gz,r/c.nii.gz\n")
    plan = plan_evaluation(config(tmp_path, references=str(tmp_path / "list.csv")))
    assert plan.problems == ("case 'c' of the list has no prediction",)
    assert any("1 prediction(s) are not on the list: a" in note for note in plan.notes)


def test_what_a_mask_of_the_list_marks_does_not_count(tmp_path: Path) -> None:
    wrong = head()
    wrong[4:7, 4:20, 4:20] = WM  # a face of the cube of GM
    write(tmp_path / "p" / "a.nii.gz", wrong)
    write(tmp_path / "r" / "a.nii.gz", head())
    lesion = np.zeros((12, 12, 12), np.float32)
    lesion[2:4] = 0.5  # voxels 4 to 7 of the finer grid, and all but 0 counts
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = 0.5
    write(tmp_path / "lesion.nii.gz", lesion, affine)
    (tmp_path / "plain.csv").write_text("case,label\na,r/a.nii.gz\n")
    (tmp_path / "masked.csv").write_text("case,label,ignored\na,r/a.nii.gz,lesion.nii.gz\n")
    dice = {}
    for name in ("plain", "masked"):
        (tmp_path / name).mkdir()
        options = config(tmp_path, references=str(tmp_path / f"{name}.csv"), output=str(tmp_path / name))
        plan = plan_evaluation(options)
        result = run_evaluation(plan, options, tmp_path / name)
        table = result.metrics[result.metrics["metric"] == "dice"].set_index("label")["value"]
        dice[name] = table.to_dict()
        assert any("masks of the list" in note for note in result.notes) == (name == "masked")
        assert result.scored[0].ignored == (tmp_path / "lesion.nii.gz" if name == "masked" else None)
    kept = np.arange(24) > 7
    truth, found = head()[kept], wrong[kept]
    assert dice["plain"]["GM"] < 0.95
    for label, name in ((GM, "GM"), (WM, "WM")):
        both = ((truth == label) & (found == label)).sum()
        expected = 2 * both / ((truth == label).sum() + (found == label).sum())
        assert dice["masked"][name] == pytest.approx(expected)
    (tmp_path / "gone.csv").write_text("case,label,ignored\na,r/a.nii.gz,gone.nii.gz\n")
    with pytest.raises(InputError, match=r"gone\.nii\.gz' does not exist"):
        plan_evaluation(config(tmp_path, references=str(tmp_path / "gone.csv")))


def test_scans_are_found_for_the_overlays(tmp_path: Path) -> None:
    for case in ("a", "b"):
        write(tmp_path / "p" / f"{case}_T1w_dseg.nii.gz", head())
        write(tmp_path / "r" / f"{case}_seg.nii.gz", head())
        write(tmp_path / "i" / f"{case}_T1w.nii.gz", head())
    plan = plan_evaluation(config(tmp_path, images=str(tmp_path / "i")))
    assert plan.images == {f"{case}_T1w": tmp_path / "i" / f"{case}_T1w.nii.gz" for case in "ab"}
    record = {"case": "a_T1w", "subject": "", "session": "", "contrast": "T1w", "volumes": ["a_T1w_dseg.nii.gz"]}
    (tmp_path / "p" / "qc").mkdir()
    (tmp_path / "p" / "qc" / "a_T1w.json").write_text(
        json.dumps({**record, "source": {"path": str(tmp_path / "i" / "a_T1w.nii.gz")}})
    )
    assert plan_evaluation(config(tmp_path)).images == {"a_T1w": tmp_path / "i" / "a_T1w.nii.gz"}


def test_references_with_ventricles_only(tmp_path: Path) -> None:
    reference, prediction = head(), head()
    prediction[4:6] = np.where(reference[4:6] == GM, CSF, 0)  # sulci
    prediction[2:4, 6:18, 6:18] = CSF  # fluid around the brain
    write(tmp_path / "p" / "a.nii.gz", prediction)
    write(tmp_path / "r" / "a.nii.gz", reference)
    plain, fair = run(config(tmp_path)), run(config(tmp_path, ventricles_only=True, output=str(tmp_path / "fair")))
    assert value(plain, "a", "GM", "dice") < 0.95
    assert value(plain, "a", "CSF", "dice") < 0.3
    assert [value(fair, "a", label, "dice") for label in ("GM", "WM", "CSF")] == [1.0, 1.0, 1.0]
    assert value(fair, "a", "CSF", "hd95_mm") == 0.0


def test_labels_in_another_order_are_noticed(tmp_path: Path) -> None:
    labels = head()
    other = np.array([0, WM, CSF, GM], np.uint8)[labels]
    write(tmp_path / "p" / "a.nii.gz", labels)
    write(tmp_path / "r" / "a.nii.gz", other)
    notes = " ".join(run(config(tmp_path)).notes)
    assert "GM as CSF, WM as GM, CSF as WM" in notes
    assert exchanged_labels(np.diag([5, 5, 5, 5])) == {}
    assert exchanged_labels(np.array([[9, 0, 0], [0, 1, 5], [0, 0, 5]])) == {}


def test_agreement_of_contrasts_by_hand(tmp_path: Path) -> None:
    a, b = head(), head(shift=1)
    write(tmp_path / "sub-1_ses-2_desc-otfsynth_dseg.nii.gz", a)
    write(tmp_path / "sub-1_ses-2_space-T2w_desc-otfsynth_dseg.nii.gz", b)
    write(tmp_path / "sub-1_ses-3_desc-otfsynth_dseg.nii.gz", a)
    files = [describe_labels(path) for path in sorted(tmp_path.iterdir())]
    (session,) = sessions_of(files)
    table = agreement_table(list(session_agreement(session, TARGETS, NAMES)))
    assert table is not None
    assert table[["subject", "session", "contrast_a", "contrast_b"]].drop_duplicates().to_numpy().tolist() == [
        ["1", "2", "T1w", "T2w"]
    ]
    dice = dict(zip(table["label"], table["dice"], strict=True))
    assert dice["WM"] == pytest.approx(1 - (100 + 16) / (1000 - 64))
    assert dice["CSF"] == pytest.approx(3 / 4)
    assert agreement_table([]) is None


def test_agreement_compares_on_the_finer_grid_and_where_both_saw_something(tmp_path: Path) -> None:
    thick = np.diag([1.0, 1.0, 2.0, 1.0])
    thick[2, 3] = 0.5
    write(tmp_path / "p_T1_dseg.nii.gz", head()[:, :, ::2], thick)
    write(tmp_path / "p_T2_dseg.nii.gz", head()[:12], AFFINE)
    files = [describe_labels(path) for path in sorted(tmp_path.iterdir())]
    (session,) = sessions_of(files)
    rows = list(session_agreement(session, TARGETS, NAMES))
    assert [row[:4] for row in rows] == [("p", "", "T1", "T2")] * 3
    assert all(row[5] > 0.85 for row in rows)


def test_without_references_the_contrasts_alone_are_compared(tmp_path: Path) -> None:
    for contrast in ("T1", "T2", "FLAIR"):
        write(tmp_path / "p" / f"x_{contrast}_dseg.nii.gz", head())
    result = run(config(tmp_path, references=None))
    assert result.agreement is not None
    assert len(result.agreement) == 3 * 3
    assert (result.agreement["dice"] == 1.0).all()
    assert result.summary is None
    assert result.scored == ()


def test_nnunets_own_loader_reads_the_summary_and_its_own_code_computes_the_same(tmp_path: Path) -> None:
    from nnunetv2.evaluation.evaluate_predictions import compute_metrics_on_folder_simple, load_summary_json

    for case, shift in (("a", 0), ("b", 3)):
        prediction = head(shift=shift)
        if case == "b":
            prediction[prediction == CSF] = WM
        write(tmp_path / "p" / f"{case}.nii.gz", prediction)
        reference = head()
        if case == "a":
            reference[reference == CSF] = WM
        write(tmp_path / "r" / f"{case}.nii.gz", reference)
    result = run(config(tmp_path))
    ours = load_summary_json(str(write_summary(result.scored, result.confusion, tmp_path / "summary.json")))
    theirs_path = tmp_path / "theirs.json"
    compute_metrics_on_folder_simple(
        str(tmp_path / "r"), str(tmp_path / "p"), [1, 2, 3], str(theirs_path), num_processes=1
    )
    theirs = load_summary_json(str(theirs_path))
    assert set(theirs) <= set(ours)
    for mine, other in zip(ours["metric_per_case"], theirs["metric_per_case"], strict=True):
        assert mine["prediction_file"] == other["prediction_file"]
        assert mine["reference_file"] == other["reference_file"]
        assert set(mine["metrics"]) == set(other["metrics"]) == {1, 2, 3}
        for label in (1, 2, 3):
            assert mine["metrics"][label] == pytest.approx(other["metrics"][label], nan_ok=True)
    for label in (1, 2, 3):
        assert ours["mean"][label] == pytest.approx(theirs["mean"][label], nan_ok=True)
    assert ours["foreground_mean"] == pytest.approx(theirs["foreground_mean"], nan_ok=True)


def test_undefined_numbers_stay_undefined_in_the_summary(tmp_path: Path) -> None:
    confusion = {"a": np.array([[5, 0], [0, 0]])}
    path = write_summary([ScoredCase("a", "", Path("p"), Path("r"))], confusion, tmp_path / "s.json")
    assert math.isnan(read_summary(path)[0]["metrics"]["1"]["Dice"])
    assert math.isnan(json.loads(path.read_text())["mean"]["1"]["Dice"])
    assert read_summary(write_summary([], {}, tmp_path / "empty.json")) == []


def test_pairs_use_the_lists_case_and_contrast() -> None:
    prediction = describe_labels(Path("x_dseg.nii.gz"))
    (only,) = pair([prediction], [describe_labels(Path("r/x_seg.nii.gz"))]).pairs
    assert (only.case, only.contrast, only.subject, only.session) == ("x", "", "x", "")
