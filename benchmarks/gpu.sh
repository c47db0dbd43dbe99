#!/usr/bin/env bash
# Everything that wants a GPU, in one command: the tests marked gpu, what prediction and training cost, the recipes
# with three seeds, camvid-realtime on two processor cores, and how accurate each network gets on CamVid.
#
#   benchmarks/gpu.sh DATA [OUT]
#
# DATA holds cats/, camvid/ and people/. OUT, or the variable OUT (default: benchmarks/results/gpu-DATE), gets logs,
# JSONs and model files. Each part is run whatever became of the one before; the last line says which failed. WEIGHTS
# may name a file of MobileNetV2's ImageNet weights, which are fetched otherwise. The benchmarks that are not here
# measure processors alone.
set -uo pipefail
cd "$(dirname "$0")/.."
data=${1:?"usage: benchmarks/gpu.sh DATA [OUT]"}
out=$(realpath -m "${2:-${OUT:-benchmarks/results/gpu-$(date +%F)}}")
python=${PYTHON:-python3}
weights=${WEIGHTS:+--weights $WEIGHTS}
failed=()

part() {
    local name=$1
    shift
    echo "== $name"
    if ! "$@" >"$out/$name.log" 2>&1; then
        failed+=("$name")
        tail -n 5 "$out/$name.log"
    fi
}

# Which backend is the fastest on the GPU: torch, ONNX Runtime through CUDA and, where its wheels are, TensorRT. The
# first lines of the log say what each took; what earlier runs remember is not asked.
predict() {
    local name=$1
    shift
    XDG_CACHE_HOME="$out/cache" part "predict-$name" "$python" -m pixelwise predict "$@" --backend auto --device cuda \
        --no-overlays --json --out "$out/predict-$name"
}

command -v nvidia-smi >/dev/null || { echo "there is no nvidia-smi here: run this where a GPU is"; exit 1; }
mkdir -p "$out"
nvidia-smi >"$out/gpu.txt" 2>&1 || { echo "no GPU answers nvidia-smi"; exit 1; }
"$python" -m pip freeze >"$out/packages.txt" 2>&1
git rev-parse HEAD >"$out/commit.txt" 2>&1
# Two cores of this machine, whose processor may have AVX-512 or AMX: 10 ms are asked of camvid-realtime there.
part latency taskset -c 0,1 "$python" benchmarks/latency.py --labels --rounds 5 \
    --also recipes/results/camvid-realtime.json --only camvid-realtime --out "$out/latency.json"
part tests "$python" -m pytest -m gpu -rs tests
predict pets models/pets.safetensors "$data/cats/images" --batch-size 32
predict pets-half models/pets.safetensors "$data/cats/images" --batch-size 32 --half
predict camvid models/camvid.safetensors "$data/camvid/val" --batch-size 8
part overhead "$python" benchmarks/train_overhead.py --batch 32 --out "$out/train_overhead.json"
part pets-seed "$python" recipes/pets_seed.py "$data/cats" --out "$out/pets-seed" --seeds 3
part pets "$python" recipes/pets.py "$data/cats" --out "$out/pets" --seeds 3
# shellcheck disable=SC2086 - the option and its value are two words
part portrait "$python" recipes/portrait.py "$data/people" --out "$out/portrait" --seeds 3 $weights
# shellcheck disable=SC2086
part camvid "$python" recipes/camvid.py "$data/camvid" --out "$out/camvid" --seeds 3 $weights
part camvid-scratch "$python" recipes/camvid_scratch.py "$data/camvid" --out "$out/camvid-scratch" --seeds 3
part camvid-realtime "$python" recipes/camvid_realtime.py "$data/camvid" --out "$out/camvid-realtime" --seeds 3
# shellcheck disable=SC2086
part accuracy "$python" benchmarks/accuracy.py "$data/camvid" --out "$out/accuracy" --epochs 120 --device cuda $weights
mkdir -p "$out/recipes" && cp recipes/results/*.json benchmarks/results/accuracy-camvid-*.json "$out/recipes/" 2>/dev/null
if ((${#failed[@]})); then
    echo "failed: ${failed[*]}; their logs are in $out"
    exit 1
fi
echo "all done: $out"
