"""Draws `docs/images/predict-*.png`: what each way of predicting does, with the demo's model on drawn scenes.

pixelwise demo && python docs/guide/draw_predict.py demo/run/best.safetensors
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from PIL import Image, ImageDraw

import pixelwise as pw
from pixelwise.data.drawn import draw_scene
from pixelwise.drawing import colourise
from pixelwise.inference.tiling import Grid, lay
from pixelwise.inference.views import Views
from pixelwise.segmenter import Segmenter

IMAGES = Path(__file__).resolve().parents[1] / "images"
SCENE = 96


def field(rows: int, columns: int, *, seed: int = 11) -> np.ndarray:
    """Scenes of the size that the model was trained at, side by side: `(96 rows, 96 columns, 3) uint8`."""
    scenes = [draw_scene((SCENE, SCENE), seed=seed, index=n)[0] for n in range(rows * columns)]
    return np.concatenate(
        [np.concatenate(scenes[r * columns : (r + 1) * columns], 1) for r in range(rows)], 0
    )


def show(axis: Axes, picture: np.ndarray | Image.Image, title: str) -> None:
    """A picture without ticks, its title above."""
    axis.imshow(picture, interpolation="nearest")
    axis.set_title(title, fontsize=8.5)
    axis.set_xticks([])
    axis.set_yticks([])


def save(name: str) -> None:
    """The current figure, as small a PNG as it can be."""
    target = IMAGES / f"predict-{name}.png"
    plt.gcf().savefig(target, dpi=100)
    plt.close()
    Image.open(target).convert("RGB").quantize(160).save(target, optimize=True)
    print(target)


def predicted(model: Segmenter, picture: np.ndarray, **settings: object) -> pw.Segmentation:
    """With other settings than the defaults."""
    model.predictor.config = pw.PredictConfig(**settings)  # pyright: ignore[reportArgumentType]
    try:
        return model.predict(picture, probabilities=True)
    finally:
        model.predictor.config = pw.PredictConfig()


def sizes(model: Segmenter) -> None:
    """One picture by each policy."""
    picture = field(3, 5)
    figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
    del figure
    show(
        axes[0, 0],
        picture,
        f"the picture: {picture.shape[1]}x{picture.shape[0]}, shapes as large as in training",
    )
    for axis, mode, words in (
        (axes[0, 1], "resize", "the shapes become five times too small"),
        (axes[1, 0], "native", "as it is, in one piece"),
        (axes[1, 1], "tile", "windows of 128 pixels, a quarter in common"),
    ):
        overlay = predicted(model, picture, sizing=mode, tile=128).overlay(legend=False)
        show(axis, overlay, f"--sizing {mode}: {words}")
    for column in Grid.over(picture.shape[:2], pw.PredictConfig(tile=128)).columns.starts:
        for row in Grid.over(picture.shape[:2], pw.PredictConfig(tile=128)).rows.starts:
            place = Rectangle((column - 0.5, row - 0.5), 128, 128, fill=False, color="white", linewidth=0.8)
            axes[1, 1].add_patch(place)
    save("sizing")


def tiles(model: Segmenter) -> None:
    """The weights of tiles along an axis, and where the labels differ from the untiled ones."""
    figure = plt.figure(figsize=(9, 5.2), layout="constrained")
    grid = figure.add_gridspec(2, 3)
    picture = field(3, 4, seed=12)
    untiled = predicted(model, picture, sizing="native").labels
    for place, blend in enumerate(("flat", "linear", "gaussian")):
        config = pw.PredictConfig(sizing="tile", tile=96, overlap=1 / 3, blend=blend)  # pyright: ignore
        axis = figure.add_subplot(grid[0, place])
        along = lay(picture.shape[1], config)
        for start, end, weights in zip(along.starts, along.ends, along.weights, strict=True):
            axis.plot(np.arange(start, end), weights, linewidth=1.2)
        axis.set_title(f"--blend {blend}: weights along a row", fontsize=9)
        axis.set_ylim(0, 1.1)
        axis.tick_params(labelsize=7)
        labels = predicted(model, picture, **vars(config)).labels
        differing = np.where((labels != untiled)[..., None], np.uint8([220, 30, 30]), picture // 3 + 150)
        share = f"{100 * (labels != untiled).mean():.2f}% differ from the untiled answer (red)"
        show(figure.add_subplot(grid[1, place]), differing.astype(np.uint8), share)
    save("tiles")


def augmentation(model: Segmenter) -> None:
    """The views of a picture, and the mean of their answers."""
    picture = field(1, 1, seed=21)
    views = Views(("hflip", "rot90"), (1.0,)).views
    figure, axes = plt.subplots(2, 5, figsize=(9, 4), layout="constrained")
    del figure
    for axis, view in zip(axes.flat, views, strict=False):
        turned = f"turned {90 * view.turns}" if view.turns else ""
        words = ", ".join(filter(None, ["mirrored" if view.mirrored else "", turned])) or "as it is"
        seen = np.ascontiguousarray(view.of(picture[None])[0])
        show(axis, predicted(model, seen, sizing="native").overlay(legend=False), words)
    tta = predicted(model, picture, sizing="native", tta=("hflip", "rot90"))
    show(axes[1, 3], tta.overlay(legend=False), "the mean, put back")
    if tta.confidence is not None:
        show(axes[1, 4], np.uint8(255 * tta.confidence[..., None].repeat(3, 2)), "its confidence")
    save("tta")


def refinement(model: Segmenter) -> None:
    """A coarse mask, and what edge-aware refinement makes of it."""
    large, truth = draw_scene((384, 384), seed=31, index=4)
    figure, axes = plt.subplots(1, 4, figsize=(9, 2.7), layout="constrained")
    del figure
    show(axes[0], large, "the photo: 384x384")
    for axis, refine in zip(axes[1:], ("none", "guided", "crf"), strict=True):
        answer = predicted(model, large, sizing="resize", refine=refine)
        right = 100 * (answer.labels == truth).mean()
        show(axis, answer.overlay(legend=False), f"--refine {refine}: {right:.2f}% right")
    save("refine")


def results(model: Segmenter) -> None:
    """What a segmentation can be turned into."""
    picture, _ = draw_scene((288, 384), seed=41, index=2)
    answer = predicted(model, picture, sizing="resize", refine="crf")
    counts = {name: share for name, share in answer.area().items() if name != "background" and share > 0.01}
    name = max(counts, key=lambda each: counts[each])
    boxes = answer.photo()
    draw = ImageDraw.Draw(boxes)
    for component in answer.components(min_area=80):
        if component.name != "background":
            box = component.box
            draw.rectangle(
                (box.left, box.top, box.right - 1, box.bottom - 1), outline=(255, 255, 255), width=2
            )
            draw.text((box.left + 4, box.top + 3), component.name, fill=(255, 255, 255))
    outlines = answer.photo()
    draw = ImageDraw.Draw(outlines)
    for polygon in answer.polygons(tolerance=2):
        points = [(float(x), float(y)) for x, y in polygon.points]
        if polygon.name not in (None, "background") and len(points) > 2:
            draw.line([*points, points[0]], fill=(255, 230, 60), width=2)
            for x, y in points:
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=(255, 255, 255))
    cut = answer.cutout(name)
    squares = (np.indices((cut.height, cut.width)) // 16).sum(0) % 2
    ground = Image.fromarray(np.where(squares[..., None], np.uint8([235] * 3), np.uint8([190] * 3)))
    ground.paste(cut, mask=cut)
    panels: Sequence[tuple[str, np.ndarray | Image.Image]] = (
        ("seg.overlay()", answer.overlay()),
        ("seg.components(), seg.boxes()", boxes),
        ("seg.polygons(tolerance=2)", outlines),
        (f'seg.crop("{name}", margin=0.1)', answer.crop(name, margin=0.1).photo()),
        (f'seg.cutout("{name}")', ground),
        (f'seg.blur_background("{name}", radius=9)', answer.blur_background(name, radius=9)),
        (f'seg.replace_background("{name}", …)', answer.replace_background(name, (250, 250, 250))),
        ("seg.confidence", np.uint8(255 * np.asarray(answer.confidence)[..., None].repeat(3, 2))),
    )
    figure, axes = plt.subplots(2, 4, figsize=(9.5, 4.6), layout="constrained")
    del figure
    for axis, (title, panel) in zip(axes.flat, panels, strict=True):
        show(axis, panel, title)
    save("results")


def video(model: Segmenter) -> None:
    """Flickering light: labels of frames, alone and averaged over time."""
    from pixelwise.video.smooth import Smoother

    scene, _ = draw_scene((SCENE, SCENE), seed=51, index=8)
    random = np.random.default_rng(3)
    frames = []
    for _ in range(8):
        light = random.normal(0, 9, scene.shape) + random.normal(0, 9)
        frames.append(np.clip(scene + light, 0, 255).astype(np.uint8))
    smoother = Smoother(0.6)
    alone, smooth = [], []
    model.predictor.config = pw.PredictConfig(sizing="native")
    for image, score in model.predictor.scores(frames):
        alone.append(model.predictor.decided(image, score))
        smooth.append(model.predictor.decided(image, smoother.step(score, np.asarray(image))))
    model.predictor.config = pw.PredictConfig()
    figure, axes = plt.subplots(3, 6, figsize=(9, 5), layout="constrained")
    del figure
    for column, number in enumerate(range(2, 8)):
        show(axes[0, column], frames[number], f"frame {number}")
        show(axes[1, column], alone[number].overlay(legend=False), "alone")
        show(axes[2, column], smooth[number].overlay(legend=False), "--smooth 0.6")
    save("video")


def giant(model: Segmenter) -> None:
    """The overview of a picture that is written by rows, and a part of it at full size."""
    from pixelwise.data.raster import ArraySource
    from pixelwise.inference.streamed import segment_file

    picture = np.tile(field(10, 12, seed=61), (2, 2, 1))
    target = IMAGES / ".giant.png"
    model.predictor.config = replace(pw.PredictConfig(), sizing="tile")
    written = segment_file(model.predictor, ArraySource(picture), target, identity="docs")
    model.predictor.config = pw.PredictConfig()
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.9), layout="constrained")
    del figure
    height, width = picture.shape[:2]
    show(axes[0], written.overview.overlay(legend=False), f"overlays/: the whole of {width}x{height}")
    axes[0].add_patch(Rectangle((480, 480), 480, 400, fill=False, color="white", linewidth=1.5))
    labels = np.asarray(Image.open(target))[480:880, 480:960]
    show(axes[1], colourise(labels, model.classes.colours), "masks/: a part of the label map at full size")
    target.unlink()
    save("giant")


def main() -> None:
    """All of them."""
    model = pw.load(sys.argv[1])
    drawings = (sizes, tiles, augmentation, refinement, results, video, giant)
    for draw in drawings:
        if not sys.argv[2:] or draw.__name__ in sys.argv[2:]:
            draw(model)


if __name__ == "__main__":
    main()
