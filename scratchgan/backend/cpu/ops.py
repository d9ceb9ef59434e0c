"""The CPU backend: ``reference.py``, with faster versions of the operations imported below."""
# ruff: noqa: F401, F403, I001 - all that is imported here is offered

from ..reference import *
from .channels import (
    add_bias_, add_rows_, batch_moments_, batch_norm, batch_norm_grad, batch_norm_sums_,
    leaky_relu, leaky_relu_grad, sum_rows,
)  # fmt: skip
from .conv import conv2d, conv2d_adjoint, conv2d_weight_grad
from .optim import adam_, ema_, rmsprop_, sgd_
from .threads import limit_blas_threads, matmul

name = "numpy"
