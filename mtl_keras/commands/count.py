"""The command `mtl-keras count`."""

import sys
from contextlib import nullcontext
from pathlib import Path

from tqdm import tqdm

from mtl_keras.commands.asked_model import model_or_bundled
from mtl_keras.commands.counting import Count
from mtl_keras.errors import UserError
from mtl_keras.owner import owned
from mtl_keras.serving.bundled import has_bundled_model
from mtl_keras.serving.people.counter import PeopleCounter
from mtl_keras.serving.people.settings import DETECTOR, CountSettings
from mtl_keras.serving.runtime import open_runtime

# In place of a model's folder: none is asked.
NOBODY = Path("none")


def count(options: Count) -> None:
    """Count, with a progress bar, and print what was counted, also after Ctrl+C."""
    settings = CountSettings(
        line=_numbers("--line", options.line),
        zone=_numbers("--zone", options.zone),
        every=options.every,
        show_faces=options.show_faces,
        reidentify=options.reidentify,
        detector=options.detector or DETECTOR,
        stop_after=options.stop_after,
    )
    model = model_of(options)
    runtime = None if model is None else open_runtime(model, options.tasks)
    with owned(options.out) if options.out else nullcontext():
        counter = PeopleCounter(options.video, runtime, options.out, settings)
        try:
            with tqdm(total=counter.length, desc="counting people", unit="frame") as bar:
                counter.run(lambda _: bar.update(options.every))
        finally:
            # Of a file that is no video nothing was counted.
            if counter.summary["frames"]:
                print("\n".join(as_lines(counter.summary)))
                if options.out:
                    print(f"files: {options.out}")
                sys.stdout.flush()


def model_of(options: Count) -> Path | None:
    """Return the model that answers about people; None where they are only counted."""
    if options.model == NOBODY or (options.model is None and not has_bundled_model() and not options.tasks):
        if options.tasks:
            raise UserError("--model none: answers nothing; leave out --tasks, or name a model")
        return None
    return model_or_bundled(options.model)


def as_lines(summary: dict) -> list[str]:
    """Return what was counted as lines."""
    broken = "".join(
        f", {summary[name]} {words}"
        for name, words in (
            ("broken_frames", "broken"),
            ("missed_frames", "left out since they came too fast"),
            ("breaks", "breaks of the stream"),
        )
        if summary[name]
    )
    lines = [
        f"{summary['video']}: {summary['seconds']:.1f} seconds, {summary['frames']} frames looked at{broken}",
        f"visitors: {summary['visitors']}",
        f"present: {summary['mean_present']:.2f} on average, {summary['most_present']} at most",
    ]
    if line := summary["line"]:
        lines.append(f"line: {line['entered']} entered, {line['left']} left")
    if zone := summary["zone"]:
        mean = "" if zone["mean_seconds"] is None else f", {zone['mean_seconds']:.1f} seconds each on average"
        lines.append(f"zone: {zone['people']} people{mean}")
    spent = summary["milliseconds_per_frame"]
    lines.append("milliseconds a frame: " + ", ".join(f"{step} {spent[step]:.1f}" for step in spent))
    return lines


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise UserError(f"{option} {text}: expected numbers with commas between them, such as 240,0,240,270") from None
