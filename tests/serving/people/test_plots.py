"""The figures of a count show everyone in its table."""

from mtl_keras.serving.people.plots import draw_classes
from mtl_keras.tasks import Task


def test_a_class_may_be_named_as_what_is_missing(tmp_path):
    people = tmp_path / "people.csv"
    people.write_text("person,hat.class\n1,None\n2,None\n3,\n")
    draw_classes(people, [Task("hat", "categorical", classes=("None", "NA"))], tmp_path / "answers.png")
    assert (tmp_path / "answers.png").exists()
