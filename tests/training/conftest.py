"""What tests of trainings share."""

import pytest
import torch


@pytest.fixture
def one_thread():
    """As many threads as the processes have that are compared with this one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
