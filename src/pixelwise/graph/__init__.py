"""A trained network as a list of operations, rewritten so that it takes less work, for every runtime.

`capture` writes down what a network does in evaluation, `simplify` rewrites it without changing the function,
and `run` computes it with torch, slowly and plainly: the reference of whatever other runtimes make of it.
"""

from pixelwise.graph.capture import capture
from pixelwise.graph.graph import Graph, Node
from pixelwise.graph.run import run
from pixelwise.graph.simplify import simplify

__all__ = ["Graph", "Node", "capture", "run", "simplify"]
