"""portrait: people against the background at 256x256, a U-Net on MobileNetV2 with ImageNet weights.

A fifth of the photos, drawn by seed 0, validates. Measured: IoU of person 94.5%.

    python recipes/portrait.py ../shared/data/people --out runs/portrait [--weights mobilenet_v2-b0353104.pth]
"""

from recipe import Recipe, main

from pixelwise.config import AugmentConfig, DataConfig, TrainConfig

RECIPE = Recipe(
    name="portrait",
    config=TrainConfig(
        model="unet",
        model_args=(
            "encoder=mobilenet_v2",
            "native_stride=2",
            "upsampling=bilinear",
            "batch_norm=true",
        ),
        weights="imagenet",
        size=(256, 256),
        epochs=24,
        batch_size=16,
        optimizer="adamw",
        lr=2e-3,
        weight_decay=0.05,
        schedule="cosine",
        warmup_steps=100,
        loss="ce + dice",
        encoder_lr=0.3,
        clip_norm=5.0,
        bn_momentum=0.05,
        ema=0.99,
        augment=AugmentConfig(flip=True, scale=(0.7, 1.6), rotate=10.0, shift=0.1, colour=0.4, blur=1.0),
        data=DataConfig(classes=("background", "person"), map=("0=0", "255=1"), val_share=0.2),
    ),
    figure="IoU of person",
    promise=0.92,
)

if __name__ == "__main__":
    main(RECIPE)
