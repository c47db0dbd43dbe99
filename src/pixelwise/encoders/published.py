"""Published ImageNet weights of our own encoders: fetched once, checked, and kept. Knows no tensor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import platformdirs

from pixelwise.errors import ConfigError, DataError
from pixelwise.fetch import Wanted, fetch
from pixelwise.files import sha256_of
from pixelwise.progress import Progress

IMAGENET = "imagenet"


@dataclass(frozen=True)
class Published:
    """Weights that somebody published.

    Attributes:
        url: Where.
        size: Bytes.
        sha256: Of its bytes, in lower-case hexadecimal.
    """

    url: str
    size: int
    sha256: str


PUBLISHED: dict[str, Published] = {  # torchvision's, BSD-3-Clause
    "mobilenet_v2": Published(
        "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
        14_212_972,
        "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
    ),
    "resnet18": Published(
        "https://download.pytorch.org/models/resnet18-f37072fd.pth",
        46_830_571,
        "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    ),
    "vgg16": Published(
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        553_433_881,
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    ),
    "vgg16_bn": Published(
        "https://download.pytorch.org/models/vgg16_bn-6c64b313.pth",
        553_507_836,
        "6c64b3138f2f4fcb3bcc4cafde11619c4f440eb1631787e93a682fd88305888a",
    ),
}


def fetch_published(
    encoder: str, *, cache: Path | None = None, progress: Progress | None = None, pause: float = 2.0
) -> Path:
    """The file of an encoder's ImageNet weights in the cache; fetched and checked where it is not there yet.

    Raises:
        ConfigError: None are published for this encoder.
        DataError: They could not be fetched, or not be written.
    """
    if encoder not in PUBLISHED:
        raise ConfigError(
            f"there are no published {IMAGENET} weights for {encoder}; there are for {', '.join(PUBLISHED)}"
        )
    wanted = PUBLISHED[encoder]
    name = wanted.url.rsplit("/", 1)[-1]
    folder = cache or Path(platformdirs.user_cache_dir("pixelwise")) / "weights"
    path, part = folder / name, folder / f"{name}.part"
    try:
        if path.is_file() and sha256_of(path) == wanted.sha256:
            return path
        folder.mkdir(parents=True, exist_ok=True)
        reason = fetch(
            wanted.url, part, Wanted(name, wanted.size, wanted.sha256), progress=progress, pause=pause
        )
        if reason is None:
            part.replace(path)
            return path
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written ({error.strerror or error}); make room, or fetch {wanted.url} by "
            "hand and give its path as the weights"
        ) from error
    raise DataError(
        f"{wanted.url} could not be fetched ({reason}); check the connection, or fetch it on another machine "
        "and give its path as the weights"
    )
