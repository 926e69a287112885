"""Which methods are compared, by the names that are asked for."""

import pytest

from mtl_keras.errors import UserError
from mtl_keras.models.sharing import SHARING
from mtl_keras.studies.methods import USUAL_SHARING, USUAL_WEIGHTINGS, Group, chosen, usable
from mtl_keras.studies.plan import Methods
from mtl_keras.studies.settings import Experiment, label_of, name_of
from mtl_keras.training.weightings import WEIGHTINGS

COMMON = Experiment(tasks=("age", "gender"), backbone="small_cnn", image_size=16, frozen_epochs=0)


def names(**asked) -> list[str]:
    return [method.name for method in chosen(COMMON, Methods(**asked))]


def test_without_a_choice_eight_weightings_and_four_ways_of_sharing_are_compared():
    assert names() == ["equal", *USUAL_WEIGHTINGS[1:], *USUAL_SHARING[1:]]
    assert (len(USUAL_WEIGHTINGS), len(USUAL_SHARING)) == (8, 4)


def test_in_full_every_weighting_and_every_way_of_sharing_is_compared_once():
    found = chosen(COMMON, Methods(full=True))
    assert found[0].settings == COMMON and found[0].name == "equal"
    assert [method.name for method in found if method.group == Group.WEIGHTING] == [*WEIGHTINGS][1:]
    assert [method.name for method in found if method.group == Group.SHARING] == [*SHARING][1:]
    assert len(found) == len(WEIGHTINGS) + len(SHARING) - 1


def test_a_choice_of_both_is_their_product_and_equal_weights_are_always_there():
    assert names(weighting=("mgda",)) == ["equal", "mgda"]
    assert names(sharing=("cross_stitch",)) == ["equal", "cross_stitch"]
    assert names(sharing=("hard", "cross_stitch"), weighting=("equal", "mgda")) == [
        "equal", "mgda", "cross_stitch", "cross_stitch + mgda",
    ]  # fmt: skip
    assert names(methods=("cross_stitch+pcgrad", "mgda", "cross_stitch")) == [
        "equal", "cross_stitch + pcgrad", "mgda", "cross_stitch",
    ]  # fmt: skip


@pytest.mark.parametrize("asked", [{"weighting": ("mdga",)}, {"sharing": ("mdga",)}, {"methods": ("hard+mdga",)},
                                   {"methods": ("mdga",)}, {"weighting": ("mgda:steps=3",)}])  # fmt: skip
def test_an_unknown_name_or_setting_is_an_error_before_anything_is_trained(asked):
    with pytest.raises(UserError, match="mdga|unknown setting 'steps'"):
        names(**asked)


def test_settings_of_a_method_go_into_its_names_but_no_sign_that_a_folder_cannot_have(monkeypatch):
    def weighed(tasks, *, start: tuple[float, ...] = (1.0,), more: float = 0.0):
        raise AssertionError("not made before it is used")

    monkeypatch.setitem(WEIGHTINGS, "weighed", weighed)
    method = chosen(COMMON, Methods(weighting=("weighed:start=1/2,more=3",)))[1]
    assert method.name == "weighed:start=1/2,more=3" == method.settings.weighting
    assert label_of(method.settings, "trained") == "small_cnn, trained, weighed start=1-2 more=3"
    assert not {*name_of(method.settings, "trained")} & {*":/\\,"}


def test_a_way_of_sharing_that_cannot_work_is_left_out_with_its_reason(capsys):
    frozen = Experiment(tasks=("age", "gender"), backbone="small_cnn", image_size=16, frozen_epochs=1, epochs=0)
    equal, other = usable(chosen(frozen, Methods(sharing=("cross_stitch",))))
    assert not equal.why and "set frozen_epochs to 0" in other.why
    assert "left out: cross_stitch, since" in capsys.readouterr().out


def test_settings_that_nothing_can_be_trained_with_are_an_error():
    with pytest.raises(UserError, match="batch_size"):
        usable(chosen(Experiment(frozen_epochs=0, backbone="small_cnn", batch_size=0), Methods(weighting=("mgda",))))


def test_seeds_and_shares_are_checked():
    for wrong in ({"seeds": 0}, {"labels_kept": 0.0}, {"labels_kept": 1.5}):
        with pytest.raises(UserError, match="expected at least 1 seed"):
            Methods(**wrong)
