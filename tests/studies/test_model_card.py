"""A model card tells of each set and each group what was measured, of the data their terms, and what to leave alone."""

from dataclasses import replace

import pandas as pd
import pytest

from mtl_keras.studies import model_card
from mtl_keras.studies.model_card import Card
from mtl_keras.tasks import AGE, GENDER, SMILE

ANSWERS = pd.DataFrame(
    {
        "source": ["utkface"] * 4 + ["genki4k"] * 2,
        "gender": ["male", "male", "female", "female", None, None],
        "gender.class": ["male", "male", "male", "female", "male", "male"],
        "gender.probability": 0.9,
        "smile": [None] * 4 + ["smiling", "not_smiling"],
        "smile.class": ["smiling"] * 6,
        "smile.probability": 0.8,
    }
)
ABOUT = {
    "backbone": "bknet",
    "image_size": 48,
    "on_request": ["gender"],
    "export": {
        "format": "litert",
        "precision": "int8",
        "compared": {"images": 6, "of": "images", "tasks": {"gender": {"changed": 1, "largest": 0.1}}},
    },
}


@pytest.fixture
def card(monkeypatch):
    """A card of two sets, each of which labels another task."""
    monkeypatch.setattr(model_card, "RESAMPLES", 10)
    spent = {"alone": 0.5, "batch": 0.4}
    return Card((GENDER, SMILE), ABOUT, {"command": "train"}, {"utkface": 1234}, ANSWERS, 3.9, spent, "a CPU", "random")


def rows(text: str, section: str) -> list[list[str]]:
    """Return the cells of the rows of tables in a section."""
    lines = text.partition(f"## {section}\n")[2].partition("\n## ")[0].splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("|") and "---" not in line]


def test_each_set_has_the_figures_of_what_it_labels(card):
    found = rows(model_card.model_card(card), "Results on each set")[1:]
    assert [(row[0], row[1], row[2], row[3].split()[0]) for row in found] == [
        ("UTKFace", "gender %", "4", "75.00"),
        ("GENKI-4K", "smile %", "2", "50.00"),
    ]


def test_each_group_has_its_errors(card):
    found = rows(model_card.model_card(card), "Errors by group")
    # Of no image with such a group the smile is known.
    assert found[0] == ["gender", "images", "gender %"]
    assert [(row[0], row[1], row[2].split()[0]) for row in found[1:]] == [
        ("female", "2", "50.00"),
        ("male", "2", "100.00"),
    ]


def test_terms_uses_and_requests_are_told(card):
    text = model_card.model_card(card)
    assert rows(text, "Training data")[1] == ["UTKFace", "`utkface`", "1,234", "non-commercial research"]
    assert rows(text, "Model details")[1:] == [
        ["gender", "male, female", "on request"],
        ["smile", "not_smiling, smiling", "always"],
    ]
    assert "use it for non-commercial research only" in text and "gender 1 other answers" in text
    assert "to identify people" in text and "It must not be used" in text and "drawn faces only" not in text
    assert "Not measured: no test image" in text and "which have terms of their own" not in text


def test_answers_within_intervals_are_told_of_the_set_that_has_such_labels(card):
    ages = {"age.low": 20.0, "age.high": 29.0, "age.value": [22.0, 29.4, 40.0, 25.0], "age.std": 5.0}
    given = ANSWERS[:4].assign(source="fairface", **ages)
    found = rows(model_card.model_card(replace(card, tasks=(AGE,), answers=given)), "Results on each set")[1:]
    assert [row[:3] + row[3].split()[:1] for row in found] == [["FairFace", "age within the interval, %", "4", "75.00"]]


def test_calibration_has_the_figures_of_each_kind_of_task(card):
    measured = [
        {"task": "age", "images": 1200, "coverage_90": 0.85, "width_90": 21.0},
        {"task": "gender", "images": 6, "ece_before": 0.0123, "nll_before": 0.25, "temperature": None},
    ]
    text = model_card.model_card(replace(card, calibration=measured, temperatures={"gender": 1.5}))
    assert rows(text, "Calibration")[1:] == [
        ["age", "1,200", "–", "–", "–", "85.00", "21.00"],
        ["gender", "6", "1.23", "0.25", "1.50", "–", "–"],
    ]


def test_a_teacher_is_named_where_there_was_one(card):
    assert "answered in its place" not in model_card.model_card(card)
    told = model_card.model_card(replace(card, teacher="a large one")).partition("## Training data")[2]
    assert "another network answered in its place: `a large one`" in told.partition("\n## ")[0]
