#!/usr/bin/env bash
# Measures what only a GPU shows, in pieces of at most nine minutes. A piece whose result is there is not made again, and
# training goes on from its checkpoint: run this until it says that everything is there.
#
#   benchmarks/gpu.sh [FOLDER]     (by default benchmarks/results/gpu)
#
# SECONDS_PER_PIECE (540 by default) bounds a piece. The training speed of the authors of LEO is measured, beside ours,
# where AUTHORS_CHECKOUT is a folder with their code and AUTHORS_PYTHON an interpreter for it: see purejaxgcrl.py.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-benchmarks/results/gpu}
limit=${SECONDS_PER_PIECE:-540}
export JAX_PLATFORMS=${JAX_PLATFORMS:-cuda,cpu}
mkdir -p "$out"

piece() { # NAME COMMAND...: run a command unless its result FOLDER/NAME is there
  local name=$1
  shift
  [ -e "$out/$name" ] && return 0
  echo "== $name" >&2
  timeout --signal=INT "$limit" "$@" || echo "== $name is not done: $?" >&2
}

piece tests.txt bash -c "pytest -q -m gpu > '$out/tests.part' && mv '$out/tests.part' '$out/tests.txt'"
for num_envs in 1 64 1024 8192; do
  piece "manipulation_$num_envs.json" gc-envs benchmark manipulation_gpu \
    --json "$out/manipulation_$num_envs.json" -- --num-envs "$num_envs"
done
if [ -n "${AUTHORS_CHECKOUT:-}" ]; then
  for method in leo dual-leo-ppo; do
    piece "train_speed_$method.json" gc-envs benchmark train_speed --json "$out/train_speed_$method.json" -- \
      --method "$method" --num-envs 1024 --steps 1000000 --authors-steps 1000000 --rounds 1 --runs "$out/train_speed" \
      --checkout "$AUTHORS_CHECKOUT" --authors-python "${AUTHORS_PYTHON:-python}"
  done
else
  echo "== no AUTHORS_CHECKOUT: training speed is not compared" >&2
fi
# The run of a billion steps: as far as it comes, with the learning curve of what there is.
timeout --signal=INT "$limit" gc-envs train dual-leo-ppo GC-Craftax-v0 --preset paper --evaluations 20 \
  --run-dir "$out/dual-leo-ppo" --resume || true
gc-envs plot "$out/dual-leo-ppo" --metric running_success --out "$out/dual-leo-ppo.png"
[ -e "$out/dual-leo-ppo/evaluation.json" ] && echo "everything is there"
