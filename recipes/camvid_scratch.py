"""camvid-scratch: CamVid's 11 classes at 480x360 without any pretraining.

A U-Net on half a ResNet-18 (`alpha=0.5`, 3.4 million parameters) that answers at stride 4: plain 3x3
convolutions, which processors compute fast, so that the same hours see more pictures. Measured: mIoU 65.8%.

    python recipes/camvid_scratch.py ../shared/data/camvid --out runs/camvid-scratch
"""

from recipe import Recipe, main

from pixelwise.config import AugmentConfig, TrainConfig

RECIPE = Recipe(
    name="camvid-scratch",
    config=TrainConfig(
        model="unet",
        model_args=(
            "encoder=resnet18",
            "encoder.alpha=0.5",
            "native_stride=4",
            "upsampling=bilinear",
            "batch_norm=true",
        ),
        size=(360, 480),
        epochs=160,
        batch_size=12,
        optimizer="adamw",
        lr=2e-3,
        weight_decay=0.05,
        schedule="poly",
        warmup_steps=300,
        loss="ce + dice",
        clip_norm=5.0,
        ema=0.998,
        validate_every=5,
        augment=AugmentConfig(
            flip=True,
            scale=(0.6, 1.8),
            crop=(256, 320),
            crop_max_share=0.75,
            colour=0.4,
            blur=1.0,
            mix=0.3,
        ),
    ),
    figure="mIoU",
    promise=0.65,
)

if __name__ == "__main__":
    main(RECIPE)
