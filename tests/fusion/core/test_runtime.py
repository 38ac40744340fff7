import pytest
import torch

from fusion.core.config import RuntimeConfig
from fusion.core.runtime import pick_device, require_device


@pytest.fixture
def second_of_two(monkeypatch):
    """A process whose own GPU is the second of two."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)


@pytest.mark.usefixtures("second_of_two")
def test_a_gpu_has_its_number_so_that_other_threads_compute_on_it_too():
    assert pick_device(RuntimeConfig(accelerator="cuda")) == torch.device("cuda", 1)
    assert pick_device(RuntimeConfig()) == torch.device("cuda", 1)
    assert require_device("cuda:0") == torch.device("cuda", 0)
    assert pick_device(RuntimeConfig(reproducible=True)) == torch.device("cpu")
