"""camvid-realtime: LR-ASPP on MobileNetV2, CamVid at 480x360, for 10 ms a picture on a processor.

Its encoder starts from that of `camvid`, which has seen the same training pictures, so that an hour of one
core is enough. Of the networks of that speed here this one keeps the encoder as `camvid` trained it, dilated
to output stride 16.

    python recipes/camvid_realtime.py ../shared/data/camvid --out runs/camvid-realtime

Run it in the project's folder, where `models/camvid.safetensors` lies, or give that file as `--weights`.
"""

from recipe import Recipe, main

from pixelwise.config import AugmentConfig, TrainConfig

RECIPE = Recipe(
    name="camvid-realtime",
    config=TrainConfig(
        model="lraspp",
        model_args=("encoder=mobilenet_v2", "output_stride=16"),
        weights="models/camvid.safetensors",
        size=(360, 480),
        epochs=12,
        batch_size=12,
        optimizer="adamw",
        lr=1e-3,
        weight_decay=0.05,
        schedule="poly",
        warmup_steps=60,
        loss="ce + lovasz",
        encoder_lr=0.3,
        clip_norm=5.0,
        bn_momentum=0.05,
        ema=0.99,
        validate_every=4,
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
    promise=0.68,
)

if __name__ == "__main__":
    main(RECIPE)
