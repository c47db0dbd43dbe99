"""camvid: DeepLabv3+ on MobileNetV2 with ImageNet weights, CamVid's 11 classes at 480x360.

Two stages. The first weighs rare classes (ENet's weights), which finds poles, signs and pedestrians quickly,
but sees them where they are not too. The second goes on without the weights, so that the shares of the
classes are those of the streets again.

python recipes/camvid.py ../shared/data/camvid --out runs/camvid [--weights mobilenet_v2-b0353104.pth]
"""

import dataclasses

from recipe import Recipe, main

from pixelwise.config import AugmentConfig, TrainConfig

FIRST = TrainConfig(
    model="deeplabv3plus",
    model_args=("output_stride=16",),
    weights="imagenet",
    size=(360, 480),
    epochs=60,
    batch_size=12,
    optimizer="adamw",
    lr=1e-3,
    weight_decay=0.05,
    schedule="poly",
    warmup_steps=200,
    loss="ce + lovasz",
    balance="enet",
    encoder_lr=0.3,
    clip_norm=5.0,
    bn_momentum=0.05,
    ema=0.995,
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
)

RECIPE = Recipe(
    name="camvid",
    config=FIRST,
    then=dataclasses.replace(
        FIRST, weights="", balance="none", epochs=24, lr=5e-4, warmup_steps=60, validate_every=4
    ),
    figure="mIoU",
    promise=0.73,
)

if __name__ == "__main__":
    main(RECIPE)
