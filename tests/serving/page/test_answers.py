import base64
import io
import json
import re

import numpy as np
import pandas as pd
import pytest

from mtl_keras.data.images import decode
from mtl_keras.kinds import add_task
from mtl_keras.serving.page.answers import shown
from mtl_keras.serving.person import Person, answers_of
from mtl_keras.tasks import Task


def downloads(html: str) -> dict[str, str]:
    """Return the files that lie in the links of a page."""
    found = re.findall(r'download="([^"]+)" href="data:[a-z/]+;base64,([^"]+)"', html)
    return {name: base64.b64decode(text).decode() for name, text in found}


@pytest.fixture
def people(predictor, drawn) -> list[Person]:
    return [*predictor(decode(drawn[4].contents).pixels)] * 2


def test_the_downloads_hold_what_the_page_shows(predictor, people, drawn):
    html = shown(drawn[4].contents, people, predictor.tasks)
    files = downloads(html)
    table = pd.read_csv(io.StringIO(files["people.csv"]))
    assert list(table["person"]) == [1, 2] and list(table["width"]) == [900, 900]
    assert table["gender.class"][0] == people[0].answers["gender"]["class"]
    assert table["age.value"][0] == pytest.approx(people[0].answers["age"]["value"], abs=1e-3)
    assert json.loads(files["people.json"]) == [person.as_json() for person in people]
    assert html.count("<article") == 2 and "<h2>2 people</h2>" in html and 'src="http' not in html


def test_bars_are_the_probabilities_of_all_classes(predictor, people, drawn):
    html = shown(drawn[4].contents, people[:1], predictor.tasks)
    widths = np.array(re.findall(r'style="width: ([\d.]+)%"', html), float)
    expected = [100 * people[0].outputs[name] for name in ("gender", "ethnicity")]
    assert widths == pytest.approx(np.concatenate(expected), abs=0.06)


def test_of_many_classes_the_most_probable_have_bars(drawn, no_new_tasks):
    task = add_task(Task("digit", "categorical", classes=tuple(f"number {number}" for number in range(12))))
    outputs = {"digit": np.linspace(0, 1, 12, dtype="float32") / 6}
    answers = answers_of([task], {"digit": outputs["digit"][None]})[0]
    person = Person((0, 0, 300, 360), None, None, np.zeros((8, 8, 3), np.uint8), outputs, answers)
    html = shown(drawn[0].contents, [person], [task])
    assert html.count("<li>") == 8 and "number 3" not in html and "number 4" in html


def test_names_of_a_model_cannot_bring_a_script_along(drawn, no_new_tasks):
    evil = '<script>alert("1")</script>'
    task = add_task(Task("mood", "categorical", classes=(evil, "calm")))
    answers = {"mood": {"class": evil, "probability": 0.9}}
    outputs = {"mood": np.array([0.9, 0.1], "float32")}
    person = Person((9, 9, 50, 50), 0.9, None, np.zeros((8, 8, 3), np.uint8), outputs, answers, f"blurred {evil}")
    html = shown(drawn[0].contents, [person], [task])
    assert "<script" not in html and "Not to be relied on: blurred &lt;script&gt;" in html


def test_a_photo_without_a_face_says_what_to_do(predictor, drawn):
    html = shown(drawn[0].contents, [], predictor.tasks)
    assert "No face found" in html and "One face, cut out" in html and not downloads(html)
