import pytest

from fusion.core.errors import InputError
from pipelines.runner.gpus import GpuPool, chosen_gpus, shares
from pipelines.runner.stages import gpu_counts


@pytest.mark.parametrize(
    ("given", "environment", "ids"),
    [
        ("0,1", {"CUDA_VISIBLE_DEVICES": "7"}, ["0", "1"]),
        ("0,0", {}, ["0", "0"]),
        ("none", {}, []),
        ("", {}, []),
        (None, {"CUDA_VISIBLE_DEVICES": "2,GPU-3f"}, ["2", "GPU-3f"]),
        (None, {"CUDA_VISIBLE_DEVICES": ""}, []),
    ],
)
def test_the_gpus_are_those_given_or_visible(given, environment, ids):
    assert chosen_gpus(given, environment) == ids


def test_an_empty_id_is_refused():
    with pytest.raises(InputError, match="'0,,1' are not GPU ids; write --gpus 0,1"):
        chosen_gpus("0,,1", {})


def test_ids_come_back_and_too_few_are_not_given_out():
    pool = GpuPool(["0", "1", "2"])
    first = pool.take(2)
    assert pool.take(2) is None
    second = pool.take(1)
    assert {*first, *second} == {"0", "1", "2"}
    pool.give_back(first)
    assert pool.take(2) == first


@pytest.mark.parametrize(("jobs", "cores", "threads"), [(4, 16, "4"), (3, 16, "5"), (8, 2, "1")])
def test_threads_are_shared_out(jobs, cores, threads):
    assert shares(jobs, cores) == {"OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"}


@pytest.mark.parametrize(
    ("runtime", "expected"),
    [
        ("{accelerator: auto, devices: 1}", {"train@x-one": 1, "evaluate@x": 1, "detect@x-m-0": 1}),
        ("{accelerator: cuda, devices: 4}", {"fuse@x-m": 4, "segment@x-m-0": 1, "report": 0}),
        ("{accelerator: auto, reproducible: true}", {"train@x-one": 0, "detect@x-m-0": 0}),
        ("{accelerator: cpu, devices: 2}", {"train@x-one": 0, "detect@x-m-0": 0}),
    ],
)
def test_stages_use_the_devices_of_params_yaml(tmp_path, runtime, expected):
    (tmp_path / "params.yaml").write_text(f"runtime: {runtime}\n")
    count = gpu_counts(tmp_path / "params.yaml")
    assert {stage: count(stage) for stage in expected} == expected
    assert count("prepare@msrs") == count("model@x") == 0


@pytest.mark.parametrize("devices", ["two", "null", "true", "0", "1.5", "[0, 1]"])
def test_what_is_no_number_of_devices_is_named(tmp_path, devices):
    (tmp_path / "params.yaml").write_text(f"runtime: {{devices: {devices}}}\n")
    with pytest.raises(InputError, match=r"params.yaml: runtime.devices: .* is not a whole number"):
        gpu_counts(tmp_path / "params.yaml")
