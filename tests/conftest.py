import signal

import pytest
from hypothesis import settings

from scratchgan import BackendError, backend, get_backend

# The same examples on every run: a red test means that the code has changed.
settings.register_profile("scratchgan", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("scratchgan")


@pytest.fixture(autouse=True)
def same_host_backend():
    """A test that chooses what computes on NumPy arrays chooses for itself alone."""
    before = backend._host
    yield
    backend._host = before


@pytest.fixture(scope="session")
def cupy_ops():
    """The CuPy backend, where there is a device; for tests marked ``gpu``."""
    try:
        return get_backend("cupy")
    except BackendError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def torch():
    """PyTorch, where it is installed; for tests marked ``torch``."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    return torch


@pytest.fixture(scope="session")
def reference(torch):
    """The module of PyTorch twins."""
    from . import reference

    return reference


@pytest.fixture(scope="session")
def numpy_ops():
    """The NumPy backend."""
    return get_backend("numpy")


@pytest.fixture
def ctrl_c():
    """Ctrl-C interrupts, here and in the processes started, also where tests run in the background.

    There the shell has had it ignored.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
