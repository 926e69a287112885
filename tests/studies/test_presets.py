"""The presets are what the tables in results/ were made with."""

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from mtl_keras.commands.arguments import default_arguments, parse
from mtl_keras.studies.comparison import chosen_variants
from mtl_keras.studies.presets import PRESETS

RESULTS = Path(__file__).parents[2] / "results"
# Of each preset, the folder of real and that of drawn faces.
FOLDERS = [folder for name in PRESETS for folder in (name, f"{name}_rendered")]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_preset_gives_the_settings_of_its_table(folder, monkeypatch):
    about = json.loads((RESULTS / folder / "run.json").read_text())
    monkeypatch.setattr(sys, "argv", shlex.split(about["command"]))
    arguments = parse(default_arguments(name := folder.removesuffix("_rendered"), PRESETS[name]), "")
    settings = json.loads(json.dumps(asdict(arguments.experiment)))
    assert about["settings"] == {name: settings[name] for name in about["settings"]}
    if isinstance(about["comparison"], dict):
        comparison = json.loads(json.dumps(asdict(arguments.comparison)))
        # A setting that came later was not noted.
        assert {**comparison, **about["comparison"]} == comparison
    real = folder == name
    assert str(arguments.out) == f"runs/{folder}" or "--out" in sys.argv
    chosen = PRESETS[name].real if real else PRESETS[name].drawn
    table = pd.read_csv(RESULTS / folder / "runs.csv")
    # Published rows, and what was tried.
    published = [row.dropna().drop("stage").to_dict() for _, row in table[table["stage"] == "reported"].iterrows()]
    assert published == [*chosen.reported]
    tried = {run.split(", ")[2] for run in table["run"] if run.count(", ") == 2} & set(chosen.variants)
    assert tried == {*chosen_variants(arguments.comparison, chosen.variants)}


@pytest.mark.parametrize(
    ("name", "readers", "layouts", "faces"),
    [
        ("facenet_utk", ("utkface",), ("utkface",), 2400),
        (
            "bknet_age_gender_smile",
            ("genki4k", "fer2013", "imdb_wiki", "utkface"),
            ("utkface", "genki4k", "fer2013"),
            800,
        ),
        (
            "customer_characteristics",
            ("raf_db", "genki4k", "fairface", "lagenda", "biwi", "w300lp", "affectnet", "fer2013", "utkface"),
            ("utkface", "raf_db", "fer2013", "genki4k", "fairface"),
            500,
        ),
        ("gender_eyeglasses", ("celeba", "class_folders", "csv_file"), ("celeba_crops",), 4500),
    ],
)
def test_a_preset_says_what_is_read_and_what_is_drawn(name, readers, layouts, faces):
    preset = PRESETS[name]
    assert (preset.readers, preset.layouts, preset.rendered_faces) == (readers, layouts, faces)
