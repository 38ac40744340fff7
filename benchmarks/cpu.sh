#!/bin/sh
# The figures of docs/speed.md for a CPU; about a quarter of an hour on two quiet cores.
#
#     git worktree add ../before 4aa042c
#     sh benchmarks/cpu.sh ../before
set -eu
results=benchmarks/results
measure() { uv run python -m "benchmarks.$@"; }

measure fusing --other "$1" --networks pomai-tiny --rounds 3 --out "$results/cpu-fusing.json"
measure updates --other "$1" --out "$results/cpu-updates.json"
measure inference --networks pomai-tiny --sizes 480x640 --rounds 1 --no-compiled \
    --only "fp32 channels_last" --out "$results/cpu-inference-tiny.json"
measure training --channels 16 --heads 4 --crop 96 --batch-size 8 --no-compiled \
    --only "fp32 channels_last" --out "$results/cpu-training-tiny.json"
OMP_WAIT_POLICY=ACTIVE uv run python -m benchmarks.metrics > "$results/cpu-metrics.json.new"
mv "$results/cpu-metrics.json.new" "$results/cpu-metrics.json"
OMP_WAIT_POLICY=ACTIVE uv run python -m benchmarks.metrics --pairs 1 --height 2160 --width 3840 --repeats 1 > "$results/cpu-metrics-4k.json.new"
mv "$results/cpu-metrics-4k.json.new" "$results/cpu-metrics-4k.json"
measure loops --rounds 4 --epochs 4 --out "$results/cpu-loops.json"
