"""The command that writes a trained model in another format."""

import json
import subprocess
import sys


def test_a_model_is_exported_and_predicted_with(run, tiny_folder, faces_folder):
    code, printed, _ = run("export", tiny_folder, "--format", "litert", "--precision", "int8")
    folder = tiny_folder / "exports" / "litert-int8"
    assert code == 0 and printed.startswith(f"{folder}: 0.0 MB; on 16 drawn faces it differs from Keras: age ")
    assert len(printed.splitlines()) == 1 and "gender 0 other answers" in printed
    image = next(faces_folder.glob("*.jpg"))
    code, answer, _ = run("predict", folder, image, "--faces", "crop")
    assert code == 0 and "age" in answer


def test_what_does_not_exist_is_one_line(run, tiny_folder):
    code, printed, error = run("export", tiny_folder, "--format", "onnx", "--precision", "int8")
    assert (code, printed) == (2, "") and error.splitlines()[-1].startswith("error: format onnx has no precision int8")
    assert not (tiny_folder / "exports").exists()
    code, _, error = run("export", tiny_folder / "nowhere", "--format", "keras")
    assert code == 2 and "nowhere: no such folder" in error


def test_neither_the_package_nor_help_imports_what_exports(run):
    code, printed, _ = run("list", "formats")
    assert code == 0 and printed.split() == ["keras", "savedmodel", "onnx", "litert", "openvino"]
    program = (
        "import sys, json, mtl_keras, mtl_keras.serving.formats, mtl_keras.commands.options;"
        "print(json.dumps([*sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "openvino", "nncf", "onnx", "onnxruntime"} & {*json.loads(done.stdout)}
