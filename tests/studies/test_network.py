"""How an experiment's network is built, frozen and joined from its parts."""

import pandas as pd
import pytest

from mtl_keras.errors import UserError
from mtl_keras.studies.network import batches_of, composition_of, precision
from mtl_keras.studies.settings import Experiment


def test_precision_is_taken_by_its_name():
    assert precision("float32") == "float32"
    assert precision("auto") in ("float32", "mixed_bfloat16")


def test_a_batch_has_the_composition_of_the_sources_that_are_there():
    train = pd.DataFrame({"source": ["a"] * 10 + ["b"] * 3, "times": [1.0] * 10 + [2.0] * 3})
    assert batches_of(Experiment(batch_size=8), train) == (8, 2)
    # 10 rows of a by 4 take three batches, and 6 of b by 1 six.
    assert batches_of(Experiment(composition="a=4,b=1"), train) == ({"a": 4, "b": 1}, 6)
    assert composition_of(Experiment(composition="a=4,b=1"), train[:10]) == {"a": 4}
    with pytest.raises(UserError, match="expected a number of rows for each source, a, b"):
        composition_of(Experiment(composition="a=4"), train)
