"""The best figures that any network can reach on a data set at a given output size. No torch here."""
