"""Writes `keras/*.json.gz` and `keras/*.npz`: how Keras lays out its files, and what its networks answer.

Run it in a throwaway environment with TensorFlow (made with tensorflow-cpu 2.21 and Keras 3.15); the tests
only read the results:

    python tests/golden/make_keras_files.py

The three networks are those of `keras_networks.py`, with drawn weights. The files themselves are tens of
megabytes, so what is kept of them is everything but the numbers: groups, data sets, shapes, attributes. The
tests fill that in with the same drawn weights and have a file as Keras writes it.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from keras_networks import NETWORKS, Names  # noqa: E402

from drawn_weights import draw_pictures  # noqa: E402
from keras_layouts import keras_arrays  # noqa: E402

SIZE = (64, 96)
INPUTS = {"unet-xception": "identity", "mobilenet-segnet": "symmetric", "deeplabv3plus": "symmetric"}


def tree(file: h5py.File, where: dict[bytes, tuple[str, int]]) -> dict[str, object]:
    """Groups with their attributes, and data sets with what fills them: everything but the numbers.

    Args:
        file: An open file.
        where: Bytes of a weight -> our layer, and its place among that layer's weights.
    """
    groups: dict[str, dict[str, object]] = {}
    data: dict[str, object] = {}

    def visit(path: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            data[path] = where[item[()].tobytes()] if item.size > 1 else item[()].item()
        else:
            groups[path] = {key: plain(value) for key, value in item.attrs.items()}

    visit("/", file)
    file.visititems(visit)
    return {"groups": groups, "datasets": data}


def plain(value: object) -> object:
    """An attribute as JSON."""
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value


def main() -> None:
    """Builds, fills, answers, saves, and describes."""
    keras.layers.BatchNormalization()  # so that names don't begin at zero, as in a notebook that ran before
    folder = HERE / "keras"
    folder.mkdir(exist_ok=True)
    for network, build in NETWORKS.items():
        name = Names()
        model = build(name, SIZE)
        where: dict[bytes, tuple[str, int]] = {}
        filled: dict[str, tuple[str, list[tuple[int, ...]]]] = {}
        for layer in model.layers:
            if not layer.weights:
                continue
            shapes = [tuple(w.shape) for w in layer.weights]
            arrays = keras_arrays(type(layer).__name__, name.ours[layer.name], shapes)
            layer.set_weights(arrays)
            for place, array in enumerate(arrays):
                key = np.ascontiguousarray(array).tobytes()
                assert key not in where
                where[key] = (name.ours[layer.name], place)
            filled[name.ours[layer.name]] = (type(layer).__name__, shapes)
        pictures = draw_pictures(2, *SIZE)
        given = pictures if INPUTS[network] == "identity" else pictures / 127.5 - 1
        answer = np.asarray(model(given, training=False)).astype(np.float32)
        document = {"layers": filled, "files": {}}
        with tempfile.TemporaryDirectory() as temporary:
            root = Path(temporary)
            model.save(root / "whole.h5")
            model.save_weights(root / "new.weights.h5")
            model.save(root / "whole.keras")
            with h5py.File(root / "legacy.h5", "w") as file:
                from keras.src.legacy.saving import legacy_h5_format

                legacy_h5_format.save_weights_to_hdf5_group(file, model)
            for kind in ("whole.h5", "legacy.h5", "new.weights.h5"):
                with h5py.File(root / kind) as file:
                    document["files"][kind] = tree(file, where)
            with zipfile.ZipFile(root / "whole.keras") as archive:
                texts = {n: archive.read(n).decode() for n in archive.namelist() if n.endswith(".json")}
                archive.extract("model.weights.h5", root)
                with h5py.File(root / "model.weights.h5") as file:
                    document["files"]["whole.keras"] = {"texts": texts, **tree(file, where)}
        text = json.dumps(document, indent=0)
        (folder / f"{network}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        np.savez_compressed(folder / f"{network}.npz", probabilities=answer.astype(np.float32))
        print(network, model.count_params(), answer.shape, answer.std(axis=1).mean(), answer.min())  # noqa: T201


if __name__ == "__main__":
    main()
