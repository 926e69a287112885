"""What every experiment does: read the data, say what was found, train, compare, and say where everything is."""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from mtl_keras.boxes import has_boxes
from mtl_keras.commands.arguments import Arguments
from mtl_keras.commands.text import by_box_alone, scores_as_text
from mtl_keras.data.audit import check_beside, check_images, conflicts, resolve_conflicts, tell, write_skipped
from mtl_keras.data.derive import derived
from mtl_keras.data.leaks import leaks, resolve_leaks
from mtl_keras.data.manifest import MANIFEST
from mtl_keras.data.sampling import of_sources
from mtl_keras.data.shards import read_shards
from mtl_keras.data.split import split
from mtl_keras.data.table import combine, write_table
from mtl_keras.data.unpacking import unpack_shards
from mtl_keras.datasets import PHOTOS
from mtl_keras.datasets.recognition import existing, split_name
from mtl_keras.errors import UserError
from mtl_keras.faces.crop import crop_faces
from mtl_keras.faces.cut import settings_for
from mtl_keras.faces.geometry import UTKFACE_CROP
from mtl_keras.files import check_writable
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.portraits import LAYOUTS
from mtl_keras.portraits.writer import write_faces
from mtl_keras.studies.comparison import check_labels, check_plan, chosen_variants, compare
from mtl_keras.studies.plan import Comparison
from mtl_keras.studies.results import read_runs
from mtl_keras.studies.rows import labelled_rows
from mtl_keras.studies.settings import Experiment
from mtl_keras.training.tensorboard import logging_to

# What is known of images that were read once.
CHECKED = Path("cache", "images.npz")


def run(
    arguments: Arguments,
    read: Callable[..., pd.DataFrame],
    reported: Iterable[dict] = (),
    variants: Mapping[str, dict] = MappingProxyType({}),
    layouts: Iterable[str] = ("utkface",),
    balance: str = "",
) -> None:
    """Read the data, train and compare, and print the most important figures and where everything is.

    What is said on the way, such as what was found in the data, goes to stderr.

    `read` is the reader of a data set: (folder, strict) -> label table. `reported` are rows of published figures,
    `variants` changes of a setting to try: see `mtl_keras.studies.comparison.compare`. Of the sets in
    `mtl_keras.datasets.PHOTOS`, and of rows with a box, the faces are cut out first. Without data, faces are rendered
    in each of the `layouts`. Of the usual `balance`, and of those of variants, only sources that the data have count.
    """
    out = arguments.out
    check_plan(arguments.experiment, arguments.comparison)
    variants = chosen_variants(arguments.comparison, variants)
    for folder in (out, arguments.tensorboard):
        if folder:
            check_writable(folder, folder=True)
    # Keras draws its progress bar where the figures are to stand alone.
    with redirect_stdout(sys.stderr), logging_to(arguments.tensorboard):
        experiment, comparison, tables = read_and_check(arguments, read, layouts)
        sources = set(tables[0]["source"])
        if experiment.balance == balance:
            experiment = replace(experiment, balance=of_sources(balance, sources))
        variants = {
            name: {**changes, "balance": of_sources(changes["balance"], sources)} if "balance" in changes else changes
            for name, changes in variants.items()
        }
        compare(experiment, comparison, tables, out, arguments.resume, reported, variants)
    print(scores_as_text(read_runs(out), ["run"]))
    print(f"\nintervals, differences and costs: {out / 'table.md'}\ntables and figures: {out}")
    # Finished runs of another machine came without their models.
    if (models := out / "models").is_dir():
        print(f"models: {models}")


def read_and_check(
    arguments: Arguments, read: Callable[..., pd.DataFrame], layouts: Iterable[str]
) -> tuple[Experiment, Comparison, tuple[pd.DataFrame, pd.DataFrame | None]]:
    """Return what is trained, what it is compared with, and the tables to train and to test on; say what was found."""
    experiment, out = arguments.experiment, arguments.out
    for place in (*arguments.data, *arguments.test_data):
        check_apart(out, existing(split_name(place)[1]))
    if not arguments.data:
        # Faces are drawn for minutes; what is wrong with a folder of data is sooner said than weights are downloaded.
        experiment = with_found_weights(experiment)
    folders = arguments.data or [rendered_folder(arguments, layout, n) for n, layout in enumerate(layouts)]
    tables = [read_folder(folder, read, arguments) for folder in folders]
    # Before faces are cut out of thousands of photos.
    check_labels(experiment, joined(tables, arguments))
    # A wrong name or file should not come to light only after the images were read.
    experiment = with_found_weights(experiment)
    table = checked(joined(with_faces(tables, arguments), arguments), arguments)
    elsewhere = rows_of_test_data(arguments, read, table) if arguments.test_data else None
    if elsewhere is not None:
        table.attrs["skipped"] = [*table.attrs.get("skipped", []), *elsewhere.attrs.get("skipped", [])]
    report(table, out, arguments.conflicts, [*folders, *arguments.test_data])
    if arguments.check:
        table = resolve_conflicts(table, arguments.conflicts)
    return experiment, arguments.comparison, (without_leaks(table, out, arguments.leaks), elsewhere)


def with_found_weights(experiment: Experiment) -> Experiment:
    """Return the settings with the path of the weights that they name, which are downloaded where they must be."""
    if not experiment.weights:
        return experiment
    return replace(experiment, weights=str(BACKBONES[experiment.backbone].find_weights(experiment.weights)))


def check_apart(out: Path, place: Path) -> None:
    """Refuse results in a folder of data: what is drawn and cut out there would be read as its images the next time."""
    if place.is_dir() and out.resolve().is_relative_to(place.resolve()):
        raise UserError(f"{out}: lies in {place}, of which every image is read; name another folder with --out")


def rows_of_test_data(arguments: Arguments, read: Callable[..., pd.DataFrame], table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of other sets to test on, checked and numbered together with those of `table`."""
    experiment = arguments.experiment
    tables = [read_folder(folder, read, arguments) for folder in arguments.test_data]
    for each in tables:
        known = labelled_rows(joined([each], arguments), experiment.chosen_tasks())
        if without := sorted({*each["source"]} - {*known["source"]}):
            raise UserError(f"--test-data: {without[0]} has no label of {', '.join(experiment.tasks)}; leave it out")
    # Named only now: a CSV file may be called like a set of photos, whose faces are cut out.
    tables = map(named_by, arguments.test_data, with_faces(tables, arguments))
    found = joined(tables, arguments)
    found = check_beside(found, table, arguments.out / CHECKED) if arguments.check else found
    rows = rows_to_test_on(found, experiment.seed)
    rows.attrs = found.attrs
    return rows


def named_by(place: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Return a label table in which rows of a CSV file that name no source have the file's name for one."""
    source = table["source"].mask(table["source"] == "csv_file", split_name(place)[1].stem)
    return table.assign(source=source)


def with_faces(tables: Iterable[pd.DataFrame], arguments: Arguments) -> list[pd.DataFrame]:
    """Return label tables in which faces stand in the place of photos."""
    return [cut_out(table, arguments.out, arguments.experiment) for table in tables]


def joined(tables: Iterable[pd.DataFrame], arguments: Arguments) -> pd.DataFrame:
    """Return one label table of several, with the labels that follow from others."""
    return derived(combine(tables), arguments.experiment.chosen_tasks())


def checked(table: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """Return the rows whose images can be read, with copies of one photo found, unless that is not asked for."""
    return check_images(table, arguments.out / CHECKED) if arguments.check else table


def rendered_folder(arguments: Arguments, layout: str, number: int) -> Path:
    """Render the faces that stand in for data set `number`, in this layout, and return their folder."""
    # Other people in each set, or one person would be in several parts of the split.
    count, seed = arguments.rendered_faces, arguments.experiment.seed + 100 * number
    print(f"no --data: rendering {count} cartoon faces, which say nothing about people, laid out as {layout}")
    return write_faces(arguments.out / "data" / f"rendered-{layout}-{count}-seed-{seed}", LAYOUTS[layout], count, seed)


def read_folder(folder: Path, read: Callable[..., pd.DataFrame], arguments: Arguments) -> pd.DataFrame:
    """Return the label table of a data set's folder, and say what is odd in it; shards are unpacked first, once."""
    if (folder / MANIFEST).is_file():
        table = unpack_shards(read_shards(folder), arguments.out / "cache")
        print(f"{folder}: {len(table)} images unpacked from shards")
    else:
        table = read(folder, arguments.strict)
    tell(table)
    return table


def cut_out(table: pd.DataFrame, out: Path, experiment: Experiment) -> pd.DataFrame:
    """Return a table in which faces stand in the place of photos: those of sets of photos, and those with boxes."""
    boxed = table["box"].notna() if has_boxes(table) else pd.Series(False, table.index)
    whole = {*PHOTOS, *table["source"][boxed]} - {*table.attrs.get("cut_out", [])}
    photos = table["source"].isin(whole) | boxed
    if not photos.any():
        return table
    tables = [table[~photos]] if not photos.all() else []
    return combine([*tables, *(crops_of(rows, out, experiment) for _, rows in table[photos].groupby("source"))])


def crops_of(photos: pd.DataFrame, out: Path, experiment: Experiment) -> pd.DataFrame:
    """Return the table of the faces cut out of photos as the network is to see them; those of an earlier call are kept.

    Photos are cut in the same way when a network of this comparison, also one of a single task, answers about them.
    """
    source, settings = photos["source"].iloc[0], settings_for(experiment.chosen_crop())
    # Crops of other settings in one folder would take each other's place.
    other = [] if settings.geometry == UTKFACE_CROP else [settings.geometry.kind]
    other += [*(["not-turned"] if settings.keep_roll else []), *(["boxes"] if has_boxes(photos) else [])]
    # A source of one's own may be called anything.
    name = "-".join(["crops", re.sub(r"[^\w.-]|^\.", "_", source), *other])
    crops = crop_faces(photos, out / "cache" / name, settings)
    print(f"{source}: {len(crops)} faces cut out of {photos['path'].nunique()} photos{by_box_alone(crops)}")
    return crops


def without_leaks(table: pd.DataFrame, out: Path, how: str) -> pd.DataFrame:
    """Write the photos that stand in several of a set's own parts as CSV, and settle them."""
    found, settled = leaks(table), resolve_leaks(table, how)
    named = found.assign(path=[Path(path).name for path in found["path"]])
    write_table(named.drop(columns="group"), out / "leaks.csv")
    if len(settled) < len(table):
        # Those that are kept are told of when the table is split.
        print(f"{len(table) - len(settled)} images dropped, since a later part holds copies (leaks.csv; --leaks {how})")
    return settled


def rows_to_test_on(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the rows of sets to test on: all of one that comes without parts of its own.

    Of the others these are the test part of their split, since copies of one photo must not part.
    """
    whole = table["split"].groupby(table["source"]).transform("count") == 0
    rest = table[~whole]
    # A set may come with nothing to train on.
    if rest["split"].isin(["validation", "test"]).all():
        return table
    return pd.concat([table[whole], split(rest, seed=seed)[2]], ignore_index=True)


def report(table: pd.DataFrame, out: Path, how: str, folders: Iterable[Path]) -> None:
    """Print what was read and skipped, and write the skipped files and the conflicting labels as CSV."""
    skipped, deviations = table.attrs.get("skipped", []), table.attrs.get("deviations", [])
    write_skipped(skipped, out / "skipped.csv", [split_name(folder)[1] for folder in folders])
    print(f"{len(table)} images read, {len(skipped)} skipped (skipped.csv), {len(deviations)} odd names or columns")
    if "audit" not in table.attrs:
        print("images not checked: copies of one photo may be in several parts, and a damaged one ends the training")
        return
    audit, at_odds = table.attrs["audit"], conflicts(table)
    named = at_odds.assign(path=[Path(path).name for path in at_odds["path"]])
    write_table(named.drop(columns=["split", "group"]), out / "conflicts.csv")
    print(
        f"photos that occur more than once: {audit['copy_groups']} ({audit['copy_images']} images), "
        f"{at_odds['image'].nunique()} of them with different labels (conflicts.csv; --conflicts {how})"
    )
