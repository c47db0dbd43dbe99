"""pets-seed: the Oxford Pets tutorial's recipe, unchanged, as the number to beat.

Cats with trimaps (pet, background, border), 160x160, `unet-xception`, batch 32, RMSprop at 1e-3, no
augmentation, 136 epochs of 22 steps = 2,992 steps (the source: 2,985). The last 195 pictures by name
validate.
Two processor cores, about an hour and a quarter. Measured: mIoU 51.5% (docs/results.md).

    python recipes/pets_seed.py ../shared/data/cats --out runs/pets-seed
"""

from recipe import Recipe, main

from pixelwise.config import DataConfig, TrainConfig

RECIPE = Recipe(
    name="pets-seed",
    config=TrainConfig(epochs=136, data=DataConfig(val_last=195)),
    figure="mIoU",
    promise=None,
)

if __name__ == "__main__":
    main(RECIPE)
