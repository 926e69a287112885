"""What settings of weightings may be, and what is said of those that may not."""

import pytest

from mtl_keras.errors import UserError
from mtl_keras.training import weightings

NAMES = ["age", "gender", "smile"]


@pytest.mark.parametrize(
    "choice",
    [
        "dwa:temperature=0",
        "stch:mu=-1",
        "stch:warm_up=-1",
        "famo:gamma=-1",
        "famo:rate=0",
        "gradnorm:alpha=-0.1",
        "gradnorm:rate=0",
        "excess_mtl:rate=0",
        "db_mtl:beta=1",
        "db_mtl:beta_sigma=-1",
        "auto_lambda:start=0",
        "auto_lambda:rate=0",
        "auto_lambda:primary=ages",
        "forum:rho=0",
        "forum:inner_steps=0",
        "moml:rate=-1",
        "pbi:theta=-1",
        "cosmos:penalty=-1",
        *(f"{name}:preference={text}" for name in ("stch", "pbi", "cosmos") for text in ("1/2", "1/2/-1", "0/0/0")),
    ],
)
def test_what_a_method_cannot_work_with_is_refused_in_one_line(choice):
    name, setting = choice.split("=")[0].split(":")
    with pytest.raises(UserError, match=f"^{name}: {setting} is .*; expected") as error:
        weightings.find(choice, NAMES, lambda: 4)
    assert "\n" not in str(error.value)


def test_a_preference_is_one_value_a_task_in_their_order():
    for name in ("stch", "pbi", "cosmos"):
        weightings.find(f"{name}:preference=0/2.5/1", NAMES)
