"""The command `mtl-keras export`."""

from mtl_keras.commands.exporting import Export
from mtl_keras.serving.compared import as_text
from mtl_keras.serving.export import export as write
from mtl_keras.serving.exported import read_exported
from mtl_keras.training.model_folder import megabytes


def export(options: Export) -> None:
    """Export, and print where the files are, how large they are and how far their answers are from Keras'."""
    given = (options.format, options.precision, options.calibrate, options.out, options.float_layers)
    folder = write(options.model, *given)
    print(f"{folder}: {megabytes(folder):.1f} MB; {as_text(read_exported(folder)['export']['compared'])}")
