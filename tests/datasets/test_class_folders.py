"""The reader of class folders: each level of folders is a task or the split."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_keras.data.table import complete
from mtl_keras.datasets.class_folders import class_folders
from mtl_keras.errors import UserError
from mtl_keras.tasks import Task, add_task


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def rows(table, *columns):
    names = [os.path.basename(path) for path in table["path"]]
    return dict(
        zip(
            names,
            table[list(columns)].astype(object).where(table[list(columns)].notna(), None).to_numpy().tolist(),
            strict=True,
        )
    )


def test_levels_are_split_and_tasks(tmp_path):
    write(tmp_path, "train/male/Eyeglasses/1.jpg", "train/female/No eyeglasses/2 ü.jpg", "Val/woman/glasses/3.png")
    table = class_folders(tmp_path)
    assert rows(table, "split", "gender", "eyeglasses") == {
        "1.jpg": ["train", "male", "eyeglasses"],
        "2 ü.jpg": ["train", "female", "no_eyeglasses"],
        "3.png": ["validation", "female", "eyeglasses"],
    }
    assert len(complete(table)) == 3 and table["group"].tolist() == [0, 1, 2]


def test_a_level_may_be_a_task_of_ones_own(tmp_path, no_new_tasks):
    add_task(Task("haircut", "ordinal", classes=("short", "long")))
    table = class_folders(write(tmp_path, "male/Short/1.jpg", "female/long/2.jpg"))
    assert rows(table, "gender", "haircut") == {"1.jpg": ["male", "short"], "2.jpg": ["female", "long"]}


@pytest.mark.parametrize(("men", "women"), [("men", "women"), ("Man", "woman"), ("Males", "Females")])
def test_other_names_of_classes_are_known(tmp_path, men, women):
    table = class_folders(write(tmp_path, f"train/{men}/1.jpg", f"train/{women}/2.jpg"), strict=True)
    assert rows(table, "gender") == {"1.jpg": ["male"], "2.jpg": ["female"]}


@pytest.mark.parametrize("part", ["val", "valid", "validate", "validation", "dev", "Val_Set", "dev-data", "devel"])
def test_other_names_of_parts_are_known(tmp_path, part):
    write(tmp_path, "train/male/1.jpg", f"{part}/female/2.jpg", "test_images/male/3.jpg")
    table = class_folders(tmp_path, strict=True)
    assert rows(table, "split") == {"1.jpg": ["train"], "2.jpg": ["validation"], "3.jpg": ["test"]}


def test_a_level_of_unknown_names_is_told(tmp_path):
    table = class_folders(write(tmp_path, "male/short hair/1.jpg", "female/long hair/2.jpg"))
    assert rows(table, "gender") == {"1.jpg": ["male"], "2.jpg": ["female"]}
    (entry,) = table.attrs["deviations"]
    assert entry["reason"] == "2 folders ('long_hair', 'short_hair') name no class of a task and are not read"
    with pytest.raises(UserError, match="name no class of a task"):
        class_folders(tmp_path, strict=True)
    # One folder around everything says nothing.
    assert not class_folders(write(tmp_path / "whole", "archive/male/1.jpg", "archive/female/2.jpg")).attrs[
        "deviations"
    ]


def test_contempt_makes_it_the_task_of_eight_expressions(tmp_path):
    seven = class_folders(write(tmp_path / "7", "happy/1.jpg", "anger/2.jpg"))
    eight = class_folders(write(tmp_path / "8", "happy/1.jpg", "anger/2.jpg", "contempt/3.jpg"))
    assert seven["expression"].tolist() == ["angry", "happy"] and "expression_8" not in seven
    assert eight["expression_8"].tolist() == ["angry", "contempt", "happy"] and "expression" not in eight


def test_folders_that_name_no_class_are_listed(tmp_path):
    write(tmp_path, "male/1.jpg", "female/2.jpg", "unsorted/3.jpg", "4.jpg")
    table = class_folders(tmp_path)
    assert rows(table, "gender") == {"1.jpg": ["male"], "2.jpg": ["female"]}
    assert [os.path.basename(item["path"]) for item in table.attrs["skipped"]] == ["4.jpg", "3.jpg"]
    with pytest.raises(UserError, match="names no class"):
        class_folders(tmp_path, strict=True)


@pytest.mark.parametrize("names", [(), ("1.jpg",), ("holiday/1.jpg", "garden/2.jpg"), ("train/1.jpg",)])
def test_a_folder_without_classes_is_one_line(tmp_path, one_line, names):
    with one_line("expected folders named as the classes of a task", tmp_path):
        class_folders(write(tmp_path, *names))


def test_files_that_are_no_images_are_listed(tmp_path):
    folder = write(tmp_path, "male/1.jpg", "female/2.webp", "female/3.HEIC", "female/4.psd", "male/list.txt")
    table = class_folders(folder, strict=True)
    assert [os.path.basename(path) for path in table["path"]] == ["2.webp", "3.HEIC", "1.jpg"]
    assert [os.path.basename(item["path"]) for item in table.attrs["skipped"]] == ["4.psd", "list.txt"]
    assert table.attrs["skipped"][0]["reason"].startswith("its name ends in none of .jpg")


NAMES = st.lists(st.sampled_from(["train", "male", "female", "happy", "x", "glasses", "Contempt"]), max_size=3)


@settings(max_examples=30, deadline=None)
@given(st.lists(NAMES, max_size=4))
def test_any_folders_give_valid_labels_or_an_error(tmp_path_factory, places):
    folder = tmp_path_factory.mktemp("folders")
    for number, place in enumerate(places):
        write(folder, "/".join([*place, f"{number}.jpg"]))
    try:
        table = complete(class_folders(folder))
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert len(table) + len(class_folders(folder).attrs["skipped"]) == len(places)
