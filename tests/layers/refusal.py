"""How tests of layers check that a wrong input shape is refused."""

import numpy as np
import pytest

from scratchgan import Sequential, ShapeError, Tanh


def assert_shape_refused(make, shape, message):
    """The layer refuses an input of this shape: by itself, and with its place inside a network."""
    with pytest.raises(ShapeError, match="^" + message):
        make().initialize(dtype="float64").forward(np.zeros(shape))
    net = Sequential(Tanh(), Sequential(Tanh(), Tanh(), make())).initialize(dtype="float64")
    with pytest.raises(ShapeError, match="^layer 1: layer 2: " + message):
        net.forward(np.zeros(shape))
