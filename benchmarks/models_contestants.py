"""The contestants of models.py: each a process with one network that predicts or trains when it is told to.

    python models_contestants.py NETWORK SIZE BATCH [NAME=VALUE ...]   # ours, or one of peer_networks.PEERS
    python models_contestants.py peak                                  # fat convolutions

Prints a line of facts when it is ready: it has predicted twice and trained once by then, to warm up and to
see what memory that takes. Then for each line `predict SECONDS` or `train SECONDS` the seconds of as many
steps as fill that time, one at least; a line to the peak is answered with multiply-adds a second. Runs under
the peers' interpreters too. Whose network it is makes no difference to layout, numbers, allocator, optimizer
and loss, so that what differs is the network.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from machine import peak_rate
from network import CLASSES, Network, ours, peak_memory, time_of
from peer_networks import PEERS, build_peer

WARM_UP = 2
"""Predictions before anything is measured; training needs one step, being as slow as several of them."""


def main() -> None:
    """Serves until its input ends."""
    if sys.argv[1] == "peak":
        serve_peak()
    else:
        name, size, batch, *arguments = sys.argv[1:]
        serve(name, int(size), int(batch), arguments)


def serve(name: str, size: int, batch: int, arguments: list[str]) -> None:
    """One network."""
    begin = time.perf_counter()
    facts: dict[str, Any] = {"library": "pixelwise"}

    def peer() -> Any:
        network, of_library = build_peer(name, CLASSES)
        facts.update(of_library)
        return network

    network = Network(peer if name in PEERS else ours(name, arguments), size=size, batch=batch)
    for _ in range(WARM_UP):
        network.predict()
    memory = {"predicting": peak_memory()}
    network.train()
    memory["training"] = peak_memory()
    facts |= {
        "parameters": network.parameters(),
        "multiply_adds": network.multiply_adds(published=True),
        "multiply_adds_computed": network.multiply_adds(published=False),
        "memory_mib": memory,
        "ready_after_seconds": round(time.perf_counter() - begin, 1),
        **network.facts,
    }
    print(json.dumps(facts), flush=True)
    steps = {"predict": network.predict, "train": network.train}
    for line in sys.stdin:
        kind, least = line.split()
        seconds = [time_of(steps[kind])]
        while sum(seconds) < float(least):
            seconds.append(time_of(steps[kind]))
        print(json.dumps(seconds), flush=True)


def serve_peak() -> None:
    """What shares of the peak are shares of, in the numbers that networks compute in here."""
    import torch

    from pixelwise.torch_runtime import choose_precision

    precision, why = choose_precision(torch.device("cpu"))
    print(json.dumps({"precision": why}), flush=True)
    for _ in sys.stdin:
        print(json.dumps([peak_rate(half=precision == torch.bfloat16)]), flush=True)


if __name__ == "__main__":
    main()
