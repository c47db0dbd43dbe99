"""Building blocks of networks. They know tensors, and neither classes nor data sets nor configs."""
