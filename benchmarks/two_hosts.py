"""Do two machines train together, and what happens when one of them fails?

The two machines are network namespaces of this one, each with a loopback, a host name and an address of
its own, and a cable between them (Linux, as root, `ip` of iproute2); nothing else can be reached from them.
Four ranks train on them, started by torchrun with a static and with a c10d rendezvous, and by ourselves with
--nodes 2. In the midst of it one rank of the second machine is killed with SIGKILL, or the cable is pulled.
Measured is how long it takes until nothing runs on either machine; then the run goes on, on the first machine
alone, in two ranks, to its end.

    python benchmarks/two_hosts.py             # four failures
    python benchmarks/two_hosts.py --only ours-killed

Ends with 1 if anything took longer than a minute or was lost. Writes
`benchmarks/results/two_hosts-DATE.json`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import command, write_result

# Written before the run.
EXPECTED = {
    "killed": "all processes of both machines end within 15 s: those that wait see the connection close",
    "cable": "within 60 s: nobody says that it is cut, so a sum has to wait its 50 s",
    "resumed": "the checkpoint is whole, and two ranks of one machine go on from its step to the end",
}
LIMIT_SECONDS = 60.0
PORT = 29400
SETTINGS = ("--model", "unet", "--model-args", "width=2", "batch_norm=true", "--size", "32", "32")
SETTINGS += (
    "--optimizer",
    "sgd",
    "--lr",
    "0.01",
    "--precision",
    "float32",
    "--device",
    "cpu",
    "--workers",
    "1",
)
SETTINGS += ("--batch-size", "8", "--val-last", "4", "--checkpoint-seconds", "0", "--log-pictures", "0")
PICTURES = 28
STEPS = 4
"""Steps that the checkpoint must have before something fails."""

OURS, STATIC, C10D = "pixelwise --nodes 2", "torchrun, static", "torchrun, c10d"
CASES = {
    "static-killed": (STATIC, "killed"),
    "c10d-killed": (C10D, "killed"),
    "ours-killed": (OURS, "killed"),
    "ours-cable": (OURS, "cable"),
}


@dataclass(frozen=True)
class Host:
    """A machine: its number, the name of its namespace, which is its host name too, and its address."""

    number: int
    name: str
    address: str

    def start(self, words: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
        """Runs a command there; what it says goes to a file."""
        named = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', self.name]
        with log.open("wb") as out:
            return subprocess.Popen(
                ["ip", "netns", "exec", self.name, *named, *words],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=os.environ | environment,
            )

    def processes(self) -> list[int]:
        """What runs there."""
        done = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True)
        return [int(word) for word in done.stdout.split()]

    def ranks(self) -> list[int]:
        """Those of its processes that train."""
        return [pid for pid in self.processes() if b"\0LOCAL_RANK=" in _environment(pid)]


def _environment(pid: int) -> bytes:
    try:
        return b"\0" + Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # it has just ended
        return b""


def ip(words: str) -> None:
    """One command of iproute2."""
    subprocess.run(["ip", *words.split()], check=True)


@contextlib.contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """Two machines with a cable between them; nothing is left of them afterwards."""
    mark = f"{os.getpid()}"
    hosts = Host(0, f"pw{mark}a", "10.199.0.1"), Host(1, f"pw{mark}b", "10.199.0.2")
    names = "127.0.0.1 localhost\n" + "".join(f"{host.address} {host.name}\n" for host in hosts)
    try:
        for host in hosts:
            folder = (
                Path("/etc/netns") / host.name
            )  # `ip netns exec` shows its files in place of those in /etc
            folder.mkdir(parents=True)
            (folder / "hosts").write_text(names)
            ip(f"netns add {host.name}")
            ip(f"-n {host.name} link set lo up")
        ip(f"-n {hosts[0].name} link add cable type veth peer name cable netns {hosts[1].name}")
        for host in hosts:
            ip(f"-n {host.name} addr add {host.address}/30 dev cable")
            ip(f"-n {host.name} link set cable up")
        yield hosts
    finally:
        for host in hosts:
            with contextlib.suppress(subprocess.CalledProcessError):
                for pid in host.processes():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                ip(f"netns delete {host.name}")
            shutil.rmtree(Path("/etc/netns") / host.name, ignore_errors=True)
        with contextlib.suppress(OSError):
            Path("/etc/netns").rmdir()  # only where it is empty


def words_of(way: str, host: Host, first: Host, what: list[str]) -> tuple[list[str], dict[str, str]]:
    """The command that a machine runs, and what it needs in its environment."""
    meeting = {"MASTER_ADDR": first.name, "MASTER_PORT": str(PORT), "NODE_RANK": str(host.number)}
    if way == OURS:
        own = ["-m", "pixelwise", "train", *what, "--devices", "2", "--nodes", "2"]
        return [sys.executable, *own], meeting
    torchrun = ["-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "2"]
    if way == STATIC:
        torchrun += ["--node-rank", str(host.number), "--master-addr", first.name, "--master-port", str(PORT)]
    else:
        torchrun += ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{first.name}:{PORT}", "--rdzv-id", "run"]
    return [sys.executable, *torchrun, "-m", "pixelwise", "train", *what], {}


def progress(run: Path) -> dict[str, Any]:
    """Where the checkpoint of a run stands; every tensor of it is read."""
    from safetensors import safe_open

    with safe_open(run / "checkpoint.safetensors", framework="numpy") as file:
        for name in file.keys():  # noqa: SIM118 - not a mapping
            file.get_tensor(name)
        return json.loads(file.metadata()["pixelwise-checkpoint"])["progress"]


def fail(case: str, data: Path, folder: Path) -> dict[str, Any]:
    """Two machines train, something fails, one of them goes on."""
    way, failure = CASES[case]
    run, logs = folder / "run", [folder / f"{number}.txt" for number in (0, 1)]
    with two_hosts() as hosts:
        processes: list[subprocess.Popen[bytes]] = []
        for host, log in zip(hosts, logs, strict=True):
            what = [str(data), "--out", str(run), "--epochs", "100000", *SETTINGS]
            words, more = words_of(way, host, hosts[0], what)
            processes.append(host.start(words, environment(folder, host) | more, log))
        wait_until(lambda: trained(run), processes, logs)
        begun, ranks = time.monotonic(), [len(host.ranks()) for host in hosts]
        if failure == "killed":
            os.kill(hosts[1].ranks()[-1], signal.SIGKILL)
        else:
            ip(f"-n {hosts[1].name} link set cable down")
        while any(host.processes() for host in hosts) and time.monotonic() - begun < 3 * LIMIT_SECONDS:
            time.sleep(0.1)
        seconds = time.monotonic() - begun
        left = sum(len(host.processes()) for host in hosts)
        codes = [process.wait(10) if process.poll() is not None else None for process in processes]
        stood = progress(run)
        last = stood["epoch"] + 1
        words = ["-m", "pixelwise", "train", "--resume", str(run), "--devices", "2", "--nodes", "1"]
        words = [sys.executable, *words, "--epochs", str(last), "--json"]
        resumed = hosts[0].start(words, environment(folder, hosts[0]), folder / "resumed.txt").wait(600)
    told = [line.strip() for log in logs for line in log.read_text(errors="replace").splitlines()]
    sentences = sorted({line for line in told if "pixelwise train --resume" in line})
    ended = progress(run)
    return {
        "case": case,
        "started_by": way,
        "failure": failure,
        "ranks": ranks,
        "seconds_until_nothing_ran": round(seconds, 1),
        "processes_left": left,
        "exit_codes": codes,
        "sentences": [sentence.replace(str(run), "RUN") for sentence in sentences],
        "step_of_the_checkpoint": stood["updates"],
        "resumed_on_one_host": {"exit_code": resumed, "epoch": ended["epoch"], "steps": ended["updates"]},
        "ok": seconds < LIMIT_SECONDS
        and ranks == [2, 2]
        and left == 0
        and bool(sentences)
        and resumed == 0
        and ended["epoch"] == last,
    }


def environment(folder: Path, host: Host) -> dict[str, str]:
    """Of every process on a machine: its own cache, one thread a rank."""
    source = str(Path(__file__).resolve().parents[1] / "src")
    return {"XDG_CACHE_HOME": str(folder / host.name), "OMP_NUM_THREADS": "1", "PYTHONPATH": source}


def trained(run: Path) -> bool:
    """Whether the checkpoint has come far enough."""
    return (run / "checkpoint.safetensors").is_file() and progress(run)["updates"] >= STEPS


def wait_until(found: Any, processes: list[subprocess.Popen[bytes]], logs: list[Path]) -> None:
    """Ten minutes at most, and not if one of the machines has ended."""
    deadline = time.monotonic() + 600
    while not found():
        if time.monotonic() > deadline or any(process.poll() is not None for process in processes):
            raise SystemExit("\n".join(log.read_text(errors="replace") for log in logs))
        time.sleep(0.2)


def main() -> int:
    """Tries all failures, or those named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=CASES, help="these failures, without a JSON")
    options = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("ip") is None:
        print("namespaces need root and the program ip (iproute2)")
        return 2
    from pixelwise.data.drawn import draw_dataset

    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        data = draw_dataset(Path(folder) / "data", pictures=PICTURES, size=(40, 48))
        for case in options.only or CASES:
            place = Path(folder) / case
            place.mkdir()
            found.append(fail(case, data, place))
            print(json.dumps(found[-1], indent=2), flush=True)
    if not options.only:
        question = "Do two machines train together, and what happens when one of them fails?"
        write_result("two_hosts", question=question, command=command(), expected=EXPECTED, failures=found)
    return 0 if all(each["ok"] for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
