import socket

from mtl_keras.serving import bundled


def test_without_a_model_it_says_how_to_get_one(run, monkeypatch, tmp_path):
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)
    code, out, said = run("demo")
    assert (code, out) == (2, "") and "mtl-keras train" in said and said.count("\n") == 1


def test_a_port_in_use_is_one_line(run, tiny_folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, said = run("demo", tiny_folder, "--port", port)
    assert code == 2 and said.startswith(f"error: 127.0.0.1:{port}: ") and "--port" in said


def test_a_folder_without_a_model_is_one_line(run, tmp_path):
    code, _, said = run("demo", tmp_path, "--port", 0)
    assert code == 2 and str(tmp_path) in said and "Traceback" not in said
