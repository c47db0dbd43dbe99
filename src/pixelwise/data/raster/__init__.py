"""Pictures too large for memory: read and written in rows, from top to bottom.

    source = RasterSource(path)                                  # or ArraySource(picture)
    sink = open_sink(out, source.size, classes, identity=..., resume=True, place=source.georeference)
    for top in range(sink.rows_done, source.size[0], 512):
        picture, valid = source.rows(top, min(top + 512, source.size[0]))
        sink.write(labels)
    sink.close(complete=True)

Knows no network. GDAL, through rasterio, is needed for `RasterSource` and GeoTIFF alone.
"""

from pixelwise.data.raster.checks import MAX_SIDE
from pixelwise.data.raster.georeference import Georeference
from pixelwise.data.raster.giant import goes_by_rows, header_size, is_giant
from pixelwise.data.raster.label_rows import label_rows
from pixelwise.data.raster.raster_source import RasterSource
from pixelwise.data.raster.sink import LabelSink, open_sink, sink_ending
from pixelwise.data.raster.source import ArraySource, Rows, RowSource

__all__ = [
    "MAX_SIDE",
    "ArraySource",
    "Georeference",
    "LabelSink",
    "RasterSource",
    "RowSource",
    "Rows",
    "goes_by_rows",
    "header_size",
    "is_giant",
    "label_rows",
    "open_sink",
    "sink_ending",
]
