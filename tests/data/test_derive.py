"""Ages become the classes of tasks whose classes are ranges of ages."""

import numpy as np
import pandas as pd
import pytest

from mtl_keras.data.derive import derived, ranges
from mtl_keras.tasks import AGE, AGE_DECADE, AGE_GROUP, AGE_RANGE, EXPRESSION, GENDER, SMILE


@pytest.mark.parametrize(
    ("task", "age", "name"),
    [
        (AGE_GROUP, 0, None), (AGE_GROUP, 1, "1-13"), (AGE_GROUP, 13.9, "1-13"), (AGE_GROUP, 14, "14-23"),
        (AGE_GROUP, 24, "24-39"), (AGE_GROUP, 55, "40-55"), (AGE_GROUP, 80, "56-80"), (AGE_GROUP, 81, None),
        (AGE_DECADE, 70, "70+"), (AGE_DECADE, 116, "70+"), (AGE_RANGE, 7, None), (AGE_RANGE, 100, "60-100"),
        (AGE_GROUP, np.nan, None),
    ],
)  # fmt: skip
def test_an_age_is_in_the_class_that_names_it(task, age, name):
    table = derived(pd.DataFrame({"path": ["face.jpg"], "age": [age]}), [task])
    assert table[task.name].tolist() == [name] if name else table[task.name].isna().all()


def test_given_classes_stay_and_other_tasks_are_left_alone():
    table = pd.DataFrame({"path": ["a", "b"], "age": [5.0, 30.0], "age_group": ["56-80", None]})
    found = derived(table, [AGE, AGE_GROUP, GENDER, SMILE])
    assert found["age_group"].tolist() == ["56-80", "24-39"] and list(found) == ["path", "age", "age_group"]
    assert table["age_group"].isna().tolist() == [False, True], "the given table is not changed"


def test_only_ranges_of_ages_are_ranges():
    assert ranges(AGE_DECADE)[-1] == (70, np.inf) and len(ranges(AGE_RANGE)) == 8
    assert not ranges(GENDER) and not ranges(EXPRESSION) and not ranges(AGE)
    unlabelled = pd.DataFrame({"path": ["a"]})
    assert list(derived(unlabelled, [AGE_GROUP])) == ["path"]
