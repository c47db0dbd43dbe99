"""Where the official archives of public data sets are, and what their bytes must be.

Data only. Checksums are those of the publishers where they publish any (Oxford-IIIT Pet), else those that
other toolkits have recorded for years and agree on (COCO and PASCAL VOC: SHA-256 of TensorFlow Datasets;
ADE20K: MD5 of four projects); COCO-Stuff's maps have none, so the archive's own CRCs must do. Cityscapes
and the full ADE20K ask for a login, so they cannot be here.
"""

from __future__ import annotations

from dataclasses import dataclass

from pixelwise.fetch import Wanted

_GIB = 1 << 30


@dataclass(frozen=True)
class Archive:
    """One file of a data set.

    Attributes:
        name: Its path on every server.
        size: Bytes; None where only the server says.
        sha256: Of its bytes, in lower-case hexadecimal; empty where nobody recorded it.
        unpacked: At most so many bytes come out of it; a bomb says more.
        members: Paths that are there once it is unpacked, and at least how many files under each.
        md5: Where there is no SHA-256.
        into: The folder under the data set's that it is unpacked into.
        servers: Where it is, if not on the data set's servers.
        inner: Archives that come out of it and are unpacked beside themselves.
    """

    name: str
    size: int | None
    sha256: str
    unpacked: int
    members: tuple[tuple[str, int], ...]
    md5: str = ""
    into: str = ""
    servers: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """What it is called on the disk."""
        return self.name.rpartition("/")[2]

    @property
    def wanted(self) -> Wanted:
        """What the download must be."""
        return Wanted(self.file, self.size, self.sha256, self.md5)


@dataclass(frozen=True)
class Source:
    """A data set's archives and the servers that have them, the official one first.

    Attributes:
        servers: What the archives' names are put behind.
        archives: The files.
        licence: Under which terms its publishers give it away.
        hint: Flags that the usual protocol needs.
    """

    servers: tuple[str, ...]
    archives: tuple[Archive, ...]
    licence: str
    hint: str = ""


_COCO = ("https://s3.amazonaws.com/images.cocodataset.org/", "http://images.cocodataset.org/")
_COCO_LICENCE = "annotations CC BY 4.0, pictures under Flickr's terms of use"
_COCO_PICTURES = (
    Archive(
        "zips/train2017.zip",
        19_336_861_798,
        "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
        24 * _GIB,
        (("train2017", 118_287),),
    ),
    Archive(
        "zips/val2017.zip",
        815_585_330,
        "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
        2 * _GIB,
        (("val2017", 5_000),),
    ),
)

SOURCES: dict[str, Source] = {
    "oxford-pets": Source(
        servers=(
            "https://www.robots.ox.ac.uk/~vgg/data/pets/data/",
            "https://thor.robots.ox.ac.uk/datasets/pets/",
        ),
        archives=(
            Archive(
                "images.tar.gz",
                791_918_971,
                "67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d",
                2 * _GIB,
                (("images", 7390),),
            ),
            Archive(
                "annotations.tar.gz",
                19_173_078,
                "52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91",
                _GIB,
                (("annotations/trimaps", 7390), ("annotations/trainval.txt", 1), ("annotations/test.txt", 1)),
            ),
        ),
        licence="CC BY-SA 4.0",
        hint="--val-last 1000",
    ),
    "voc2012": Source(
        servers=(
            "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/",
            "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/",
        ),
        archives=(
            Archive(
                "VOCtrainval_11-May-2012.tar",
                1_999_639_040,
                "e14f763270cf193d0b5f74b169f44157a4b0c6efa708f4dd0ff78ee691763bcb",
                3 * _GIB,
                (
                    ("VOCdevkit/VOC2012/JPEGImages", 17_125),
                    ("VOCdevkit/VOC2012/SegmentationClass", 2_913),
                    ("VOCdevkit/VOC2012/ImageSets/Segmentation", 3),
                ),
            ),
        ),
        licence="pictures under Flickr's terms of use",
    ),
    "ade20k": Source(
        servers=(
            "https://data.csail.mit.edu/places/ADEchallenge/",
            "http://data.csail.mit.edu/places/ADEchallenge/",
        ),
        archives=(
            Archive(
                "ADEChallengeData2016.zip",
                None,
                "",
                3 * _GIB,
                (
                    ("ADEChallengeData2016/images/training", 20_210),
                    ("ADEChallengeData2016/images/validation", 2_000),
                    ("ADEChallengeData2016/annotations/training", 20_210),
                    ("ADEChallengeData2016/annotations/validation", 2_000),
                ),
                md5="7328b3957e407ddae1d3cbf487f149ef",
            ),
        ),
        licence="annotations BSD 3-clause, pictures for research and teaching",
    ),
    "coco-instances": Source(
        servers=_COCO,
        archives=(
            *_COCO_PICTURES,
            Archive(
                "annotations/annotations_trainval2017.zip",
                252_907_541,
                "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
                2 * _GIB,
                (("annotations/instances_train2017.json", 1), ("annotations/instances_val2017.json", 1)),
            ),
        ),
        licence=_COCO_LICENCE,
    ),
    "coco-panoptic": Source(
        servers=_COCO,
        archives=(
            *_COCO_PICTURES,
            Archive(
                "annotations/panoptic_annotations_trainval2017.zip",
                860_725_834,
                "c05f76d2129b6b561eb70efe16e7006df62f73fb92889132d373b9d90e31a370",
                3 * _GIB,
                (("annotations/panoptic_train2017", 118_287), ("annotations/panoptic_val2017", 5_000)),
                inner=("annotations/panoptic_train2017.zip", "annotations/panoptic_val2017.zip"),
            ),
        ),
        licence=_COCO_LICENCE,
    ),
    "coco-stuff": Source(
        servers=_COCO,
        archives=(
            *_COCO_PICTURES,
            Archive(
                "stuffthingmaps_trainval2017.zip",
                None,
                "",
                4 * _GIB,
                (
                    ("stuffthingmaps_trainval2017/train2017", 118_287),
                    ("stuffthingmaps_trainval2017/val2017", 5_000),
                ),
                into="stuffthingmaps_trainval2017",
                servers=("http://calvin.inf.ed.ac.uk/wp-content/uploads/data/cocostuffdataset/",),
            ),
        ),
        licence=_COCO_LICENCE,
    ),
}


__all__ = ["SOURCES", "Archive", "Source"]
