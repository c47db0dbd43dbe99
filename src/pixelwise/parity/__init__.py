"""Whether an exported model answers what its network does, how fast, and where a difference starts.

Compares on real pictures, at several sizes. Knows how to open runtimes, and neither command line nor
training.
"""
