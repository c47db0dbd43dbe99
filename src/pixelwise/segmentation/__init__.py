"""What a picture was found to show, and what people make of it: sizes, pieces, outlines, cut-out pictures.

    segmentation.area(), .components("cat"), .boxes("cat"), .polygons("cat")     numbers
    segmentation.save("mask.png"), .save_labelme("cat.json"), .save_coco("cat.json", picture="cat.jpg")
    segmentation.overlay(), .crop("cat"), .cutout("cat"), .blur_background("cat"), .replace_background(…)

Knows labels, classes and the photo; no network, and nothing of how the labels came to be. NumPy and Pillow.
"""

from pixelwise.segmentation.box import Box
from pixelwise.segmentation.component import Component, Pieces
from pixelwise.segmentation.documents import coco_document
from pixelwise.segmentation.polygon import Polygon
from pixelwise.segmentation.segmentation import Segmentation

__all__ = ["Box", "Component", "Pieces", "Polygon", "Segmentation", "coco_document"]
