"""What makes a run this run."""

from dataclasses import dataclass

__all__ = ["Config"]


@dataclass(frozen=True)
class Config:
    """What makes a run this run: two runs that agree in all of it give the same numbers.

    Attributes are the options of the examples by the same names; see ``--help`` there.
    """

    data: str
    model: str = "mlp"
    loss: str = "non-saturating"
    smooth: float = 0.0
    batch_size: int = 128
    seed: int = 0
    g_optimiser: str = "adam"
    d_optimiser: str = "adam"
    g_lr: float = 2e-4
    d_lr: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    d_steps: int = 1
    condition: str | None = None
    classes: int = 0
    d_norm: str = "model"
    penalty: str = "none"
    penalty_weight: float | None = None
    penalty_every: int = 1
    clip_weights: float | None = None
    pack: int = 1
    minibatch_std: bool = False
    instance_noise: float = 0.0
    instance_noise_steps: int = 0
    noise: str = "normal"
    l2_generator: float = 0.0
    ema: float = 0.0
    dtype: str = "float32"
    tf32: bool = False
