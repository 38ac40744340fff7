"""What the measurements of inference compare is the same network."""

import pytest
import torch

from benchmarks import inference, machine, plain
from fusion.methods.pomai.config import MICMConfig, PoMAIConfig
from fusion.methods.pomai.method import PoMAI


@pytest.mark.parametrize("skip", ["none", "brighter"])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_plain_formulation_computes_what_the_network_computes(memory_format, skip):
    torch.manual_seed(0)
    config = PoMAIConfig(channels=8, heads=2, blocks=2, skip=skip, micm=MICMConfig())
    network = PoMAI(config).eval()
    for parameter in network.parameters():  # away from the small changes of fresh weights
        torch.nn.init.normal_(parameter, std=0.2)
    images = inference.make_pair(48, 64)
    with torch.inference_mode():
        expected = plain.fuse(network, *images, network.ngmm.rotation[0])
        found = network.to(memory_format=memory_format)(*images)
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_a_setting_is_measured_against_the_plain_one(tmp_path):
    rows = {
        setting: [inference.measure("pomai-tiny", setting, 32, 48, tmp_path, first=True)]
        for setting in (inference.PLAIN, "fp32 channels_last")
    }
    facts = {"device": "cpu", "matmul_tflops_fp32": 1.0}
    shown = inference.table("pomai-tiny", rows, 32, 48, facts)
    row = shown["rows"]["fp32 channels_last"]
    assert row["difference"] <= 1e-4
    assert row["difference_same_codes"] <= 1e-4
    assert row["ms"] > 0
    assert len(row["slowest"]) == 5
    assert row["tflops"] == pytest.approx(shown["gflop"] / row["ms"], rel=0.1, abs=1e-3)


def test_work_counts_operations_and_the_bytes_of_inputs_and_outputs():
    left, right = torch.ones(8, 4), torch.ones(4, 2)
    flops, moved = machine.work_of(lambda: (left.t().t() @ right).view(16) + 1)
    assert flops == 2 * 8 * 4 * 2
    assert moved == 4 * (32 + 8 + 16) + 4 * (16 + 16), "views move nothing"
