"""How prediction is spread over a Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass

from pixelwise.config.checks import require


@dataclass(frozen=True, kw_only=True)
class RayConfig:
    """The workers of a cluster; one model in each."""

    ray_address: str = ""
    """With --engine ray: the cluster, e.g. auto or ray://head:10001; where not given RAY_ADDRESS says it, and
    else a cluster of this machine alone is started."""
    ray_workers: int | None = None
    """With --engine ray: how many workers; where not given as many as the cluster has room for."""
    ray_cpus: int = 1
    """With --engine ray: cores of a worker."""
    ray_gpus: float = 0.0
    """With --engine ray: GPUs of a worker; 0.5 lets two workers share one."""
    ray_chunk: int = 64
    """With --engine ray: pictures that a worker gets at a time, and does again where it was killed."""

    def __post_init__(self) -> None:
        require(self.ray_workers is None or self.ray_workers >= 1, "ray-workers must be at least 1")
        require(self.ray_cpus >= 1, f"ray-cpus must be at least 1, got {self.ray_cpus}")
        require(self.ray_gpus >= 0, f"ray-gpus must be at least 0, got {self.ray_gpus}")
        require(1 <= self.ray_chunk <= 100_000, f"ray-chunk must lie in 1..100000, got {self.ray_chunk}")
