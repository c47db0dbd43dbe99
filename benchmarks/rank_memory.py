"""How much memory does a rank hold with --strategy fsdp, beside ddp?

Ranks of this machine (gloo, on the processor) set up one network as `pixelwise train` does, make two steps of
AdamW on small pictures, and count the bytes of their own parameters, gradients and optimiser state. What
else a process takes (activations, what is gathered for a moment, libraries) is in the peak of its memory.

    python benchmarks/rank_memory.py                       # fcn-8s, 2 ranks: 134 million parameters
    python benchmarks/rank_memory.py --model unet --ranks 4 --no-json

Writes `benchmarks/results/shards-DATE.json`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

from machine import command, write_result

# Written before the run.
EXPECTED = {
    "state": "16 bytes a parameter with ddp: itself, its gradient, two moments; with fsdp the rank's share",
    "step": "slower: parameters travel before both passes, gradients after the backward one",
}
SIDE = 64


def main() -> int:
    """Both ways, one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="fcn-8s")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--no-json", action="store_true", help="print alone")
    parser.add_argument("--rank", nargs=1, metavar="STRATEGY", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank:
        print(json.dumps(one_rank(options.model, options.rank[0])))
        return 0
    found = {strategy: all_ranks(options, strategy) for strategy in ("ddp", "fsdp")}
    share = found["fsdp"]["state_bytes"] / found["ddp"]["state_bytes"]
    facts = {"model": options.model, "ranks": options.ranks, "found": found, "share": round(share, 4)}
    print(json.dumps(facts, indent=1))
    if not options.no_json:
        question = "How much memory does a rank hold with --strategy fsdp, beside ddp?"
        write_result("rank_memory", question=question, command=command(), expected=EXPECTED, **facts)
    return 0


def all_ranks(options: argparse.Namespace, strategy: str) -> dict[str, Any]:
    """The largest of the ranks' figures, and the bytes of each."""
    from pixelwise.training.launch import Launch
    from pixelwise.training.launcher import environment_of, meeting_place

    launch = Launch("pixelwise", options.ranks, 1)
    with meeting_place(launch) as place:
        words = [sys.executable, __file__, "--model", options.model, "--rank", strategy]
        ranks = [
            subprocess.Popen(words, stdout=subprocess.PIPE, env=environment_of(launch, rank, place))
            for rank in range(options.ranks)
        ]
        answers = [json.loads(rank.communicate()[0].splitlines()[-1]) for rank in ranks]
    largest = {name: max(answer[name] for answer in answers) for name in answers[0]}
    return {**largest, "state_bytes_of_each": [answer["state_bytes"] for answer in answers]}


def one_rank(model: str, strategy: str) -> dict[str, Any]:
    """What this process holds after two steps, in bytes."""
    import torch

    from pixelwise.config import TrainConfig
    from pixelwise.losses import build_loss
    from pixelwise.models import build_model
    from pixelwise.training.engine import join_fabric, set_up
    from pixelwise.training.launch import find_launch
    from pixelwise.training.machine import resident_peak
    from pixelwise.training.objective import Objective
    from pixelwise.training.optim import build_optimizer
    from pixelwise.training.ranks import Ranks
    from pixelwise.training.shards import local
    from pixelwise.training.step import Stepper
    from pixelwise.training.synced_norm import synchronise

    sharded = strategy == "fsdp"
    config = TrainConfig(model=model, optimizer="adamw", lr=1e-4)
    fabric = join_fabric(torch.device("cpu"), "float32", find_launch(), seconds=600, sharded=sharded)
    ranks = Ranks.of(fabric, seconds=600)
    network = build_model(model, num_classes=21, seed=0)
    synchronise(network, (), ranks)
    engine = set_up(network, fabric, config)
    optimizer = build_optimizer(network, config)
    stepper = Stepper(
        fabric=fabric,
        engine=engine,
        optimizer=fabric.setup_optimizers(optimizer),  # pyright: ignore[reportArgumentType]
        objective=Objective(build_loss("ce", class_weights=None), None, 0.4),
        micro_batch=None,
        clip_norm=None,
        ranks=ranks,
        sharded=sharded,
    )
    generator = torch.Generator().manual_seed(ranks.rank)
    images = torch.rand(1, 3, SIDE, SIDE, generator=generator) * 255
    masks = torch.randint(0, 21, (1, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    network.train()
    seconds = 0.0
    gradients = 0
    for number in range(2):
        begun = time.perf_counter()
        stepper.backward(images, masks, seed=(0, number))
        gradients = sum(local(p.grad).nbytes for p in network.parameters() if p.grad is not None)
        stepper.step()
        seconds = time.perf_counter() - begun
    parameters = sum(local(p.detach()).nbytes for p in network.parameters())
    moments = sum(
        local(value).nbytes
        for entries in optimizer.state.values()
        for value in entries.values()
        if isinstance(value, torch.Tensor)
    )
    ranks.wait()
    return {
        "state_bytes": parameters + gradients + moments,
        "parameter_bytes": parameters,
        "gradient_bytes": gradients,
        "moment_bytes": moments,
        "peak_bytes": resident_peak(),
        "seconds_of_second_step": round(seconds, 2),
    }


if __name__ == "__main__":
    sys.exit(main())
