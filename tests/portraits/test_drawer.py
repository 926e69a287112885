"""The drawing of portraits: eyeglasses of every kind, what is mistaken for them, and the faults of cameras."""

import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from mtl_keras.portraits import camera, eye_area, glasses
from mtl_keras.portraits.drawer import render
from mtl_keras.portraits.glasses import FRAME_COLORS, KINDS, SHAPES, Spectacles, choose_glasses
from mtl_keras.portraits.lenses import Glass, choose_glass
from mtl_keras.portraits.look import CHOICES, Look, Portrait
from mtl_keras.portraits.scene import Frame

EYES = (slice(26, 52), slice(16, 80))  # rows and columns of a face of 96 pixels
CLEAR, BLACK = Glass((255, 255, 255), 0.05, 0.05), Glass((12, 12, 14), 0.98, 0.98)
PLAIN = Spectacles("oval", "full", (20, 18, 20), 0.05, CLEAR)
FACE = Portrait(age=35, gender="male", seed=2)
DISTRACTORS = ("draw_shadows", "draw_depth", "draw_stray_hair", "draw_hat")


def eyes(portrait: Portrait) -> np.ndarray:
    """Return the part of a drawing with the eyes, in gray levels."""
    return render(portrait, 96)[EYES].astype(float)


def wearing(pair: Spectacles, monkeypatch, face: Portrait = FACE) -> np.ndarray:
    monkeypatch.setattr(glasses, "choose_glasses", lambda look: pair)
    return eyes(replace(face, eyeglasses="eyeglasses"))


# === Eyeglasses ===


@pytest.mark.parametrize("option", ["shape", "kind"])
def test_every_shape_and_kind_is_drawn_and_differs(option, monkeypatch):
    names = list({"shape": SHAPES, "kind": KINDS}[option])
    drawn = [wearing(replace(PLAIN, **{option: name}), monkeypatch) for name in names]
    bare = eyes(FACE)
    for first, name in enumerate(names):
        assert np.abs(drawn[first] - bare).mean() > 3, f"{name} is hardly seen"
        for second in range(first):
            difference = np.abs(drawn[first] - drawn[second]).mean()
            assert difference > 0.7, f"{name} and {names[second]} look alike"


def test_color_thickness_and_tint_show(monkeypatch):
    plain = wearing(PLAIN, monkeypatch)
    assert wearing(replace(PLAIN, thick=0.09), monkeypatch).mean() < plain.mean() - 1
    assert wearing(replace(PLAIN, color=(240, 236, 230)), monkeypatch).mean() > plain.mean() + 2
    dark = wearing(replace(PLAIN, glass=BLACK), monkeypatch)
    assert dark.mean() < plain.mean() - 15
    graded = wearing(replace(PLAIN, glass=Glass((12, 12, 14), 0.98, 0.3)), monkeypatch)
    assert dark.mean() < graded.mean() < plain.mean()


def test_chance_gives_every_shape_kind_color_and_glass():
    pairs = [choose_glasses(Look(Portrait(seed=seed, eyeglasses="eyeglasses"))) for seed in range(1500)]
    for count, names in (
        (Counter(pair.shape for pair in pairs), SHAPES),
        (Counter(pair.kind for pair in pairs), KINDS),
    ):
        assert {*count} == {*names} and min(count.values()) > 60, count
    assert len({pair.color for pair in pairs}) >= len(FRAME_COLORS)
    assert min(pair.thick for pair in pairs) < 0.02 and max(pair.thick for pair in pairs) > 0.09
    sunglasses = np.mean([pair.glass.dark for pair in pairs])
    assert 0.25 < sunglasses < 0.5
    assert any(pair.glass.bottom < pair.glass.top for pair in pairs)


def test_a_pair_does_not_depend_on_other_labels():
    changes = ({"gender": "male"}, {"age": 70}, {"smile": "smiling"}, {"ethnicity": "black"})
    for seed in range(40):
        person = Portrait(seed=seed, eyeglasses="eyeglasses")
        pair = choose_glasses(Look(person))
        for change in changes:
            other = choose_glasses(Look(replace(person, **change)))
            assert replace(other, color=pair.color) == pair  # its color is one that is seen on the skin


@pytest.mark.parametrize("yaw", [-40.0, 0.0, 40.0])
def test_eyeglasses_are_always_seen(yaw):
    for seed in range(40):
        face = Portrait(seed=seed, age=10 + 2 * seed, yaw=yaw, ethnicity=CHOICES["ethnicity"][seed % 5])
        changed = np.abs(eyes(replace(face, eyeglasses="eyeglasses")) - eyes(face)).mean()
        assert changed > 2, f"seed {seed}: the picture changes by only {changed:.2f}"


def test_forehead_and_chin_are_the_same_with_glasses():
    for seed in range(12):
        with_glasses, without = (
            render(Portrait(seed=seed, eyeglasses=value), 96) for value in ("eyeglasses", "no_eyeglasses")
        )
        # Blocks of a compressed picture, of 16 pixels, carry a change no further than their edge.
        assert np.array_equal(with_glasses[:14], without[:14]) and np.array_equal(with_glasses[82:], without[82:])


def test_a_face_without_eyeglasses_draws_none(monkeypatch):
    def never(*_):
        raise AssertionError("glasses on a face without")

    monkeypatch.setattr(sys.modules["mtl_keras.portraits.drawer"], "draw_glasses", never)
    for seed in range(20):
        eyes(Portrait(seed=seed))


# === What is mistaken for eyeglasses ===


@pytest.fixture(scope="module")
def people():
    """Some people, and the pictures of them with and without eyeglasses."""
    people = [Portrait(seed=seed, age=45) for seed in range(40)]
    return people, {label: [eyes_and_more(p, label) for p in people] for label in ("eyeglasses", "no_eyeglasses")}


@pytest.mark.parametrize("name", DISTRACTORS)
def test_distractors_fall_on_some_faces_whatever_their_label(name, people, monkeypatch):
    people, before = people
    monkeypatch.setattr(eye_area, name, lambda *_: None)
    changed = {
        label: [not np.array_equal(eyes_and_more(p, label), b) for p, b in zip(people, before[label], strict=True)]
        for label in before
    }
    assert 0 < sum(changed["no_eyeglasses"]) < len(people)
    # Dark lenses may hide some of it.
    assert not any(np.array(changed["eyeglasses"]) & ~np.array(changed["no_eyeglasses"]))
    assert sum(changed["eyeglasses"]) > 0.7 * sum(changed["no_eyeglasses"])


def eyes_and_more(portrait: Portrait, label: str) -> np.ndarray:
    return render(replace(portrait, eyeglasses=label), 48)


def test_chances_of_distractors_and_faults_know_no_label():
    changes = ({"gender": "male"}, {"age": 80}, {"eyeglasses": "eyeglasses"}, {"ethnicity": "indian"})
    for stream in ("eye_area", "faults", "lenses"):
        same = Look(Portrait(seed=9)).chances(stream)
        assert all(np.array_equal(Look(Portrait(seed=9, **change)).chances(stream), same) for change in changes)


# === The camera ===


def test_cameras_differ_in_light_contrast_and_sharpness():
    faces = np.stack([render(Portrait(seed=seed), 64).mean(axis=2) for seed in range(60)])
    contrast, sides = faces.std(axis=(1, 2)), faces[:, :, :32].mean(axis=(1, 2)) - faces[:, :, 32:].mean(axis=(1, 2))
    edges = np.abs(np.diff(faces, axis=2)).mean(axis=(1, 2)) / contrast
    assert contrast.max() > 2 * contrast.min() and np.abs(sides).max() > 25
    assert edges.max() > 1.7 * edges.min()


def test_compression_leaves_its_blocks():
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    low, high = (np.abs(camera.compressed(noise, quality).astype(float) - noise).mean() for quality in (20, 95))
    assert low > high > 0


def test_a_picture_can_be_stretched():
    tall = render(Portrait(seed=4), Frame(64, 96, 64, rows=64)).mean(axis=2)
    plain = render(Portrait(seed=4), 64).mean(axis=2)
    assert tall.shape == (96, 64)
    squeezed = tall.reshape(32, 3, 64).mean(axis=1)
    assert np.corrcoef(squeezed.ravel(), plain.reshape(32, 2, 64).mean(axis=1).ravel())[0, 1] > 0.95


def test_tinted_glass_is_a_share_of_all():
    dark = [choose_glass(Look(Portrait(seed=seed))).dark for seed in range(400)]
    assert 0.25 < np.mean(dark) < 0.5
