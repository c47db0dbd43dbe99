"""Tar files of pictures and masks, read in place: where each member's bytes are, and how they come.

A tar is never unpacked. Which samples a set has stands in its index, or in the headers of its tars; from then
on a sample is a few numbers, and its bytes are read when it is asked for, from a disk or over a network.
Knows bytes, names and places; pictures and classes are the business of the format `shards`.
"""
