"""Presets: a loss, an optimiser and their settings, each set from a paper.

A preset sets every option of `PRESET_FIELDS`: to its own value, or else to the default of `Config`.
All other options (networks, batch size, ...) stay as they are. So does ``ema``, unless the paper
draws its samples from a running mean of G's weights.
"""

from dataclasses import fields
from typing import Any, NamedTuple

from .config import Config

PRESET_FIELDS = [f.name for f in fields(Config) if f.metadata.get("preset")]


class Preset(NamedTuple):
    """Settings of a paper.

    Attributes
    ----------
    source : str
        Paper and section.
    settings : dict
        Values of options of `Config`.
    """

    source: str
    settings: dict[str, Any]


def preset_options(name: str) -> dict[str, Any]:
    """Return every option that the preset ``name`` sets, with its value."""
    if name not in PRESETS:
        raise ValueError(f"preset: expected one of {', '.join(PRESETS)}, got {name!r}")
    defaults = {f.name: f.default for f in fields(Config) if f.name in PRESET_FIELDS}
    return defaults | PRESETS[name].settings


def _both(optimiser, lr):
    """Return the options that give D and G this optimiser and this learning rate."""
    return {"g_optimiser": optimiser, "d_optimiser": optimiser, "g_lr": lr, "d_lr": lr}


def _adam(lr, beta1, beta2=0.999):
    return {**_both("adam", lr), "beta1": beta1, "beta2": beta2}


_RADFORD = {"loss": "non-saturating", **_adam(2e-4, 0.5)}  # Radford et al., 2016, section 4

PRESETS = {
    "gan": Preset(
        "Goodfellow et al., 2014, section 3; optimiser of Radford et al., 2016", _RADFORD),
    "minimax": Preset(
        "Goodfellow et al., 2014, equation 1, to see G's gradient vanish",
        {**_RADFORD, "loss": "minimax"}),
    "dcgan": Preset("Radford et al., 2016, section 4", _RADFORD),
    "lsgan": Preset("Mao et al., 2017, section 4", {**_RADFORD, "loss": "least-squares"}),
    "wgan": Preset(
        "Arjovsky et al., 2017, algorithm 1",
        {"loss": "wasserstein", "clip_weights": 0.01, "d_steps": 5, **_both("rmsprop", 5e-5)}),
    "wgan-gp": Preset(
        "Gulrajani et al., 2017, algorithm 1",
        {"loss": "wasserstein", "penalty": "wgan-gp", "penalty_weight": 10.0, "d_steps": 5,
         "d_norm": "none", **_adam(1e-4, 0.0, 0.9)}),
    "dragan": Preset(
        "Kodali et al., 2017, section 3; optimiser of Radford et al., 2016",
        {**_RADFORD, "penalty": "dragan", "penalty_weight": 10.0, "d_norm": "none"}),
    "r1": Preset(
        "Mescheder et al., 2018, section 4.1 and appendix D",
        {"loss": "non-saturating", "penalty": "r1", "penalty_weight": 10.0, "d_norm": "none",
         "ema": 0.999, **_both("rmsprop", 1e-4)}),
    "sngan-hinge": Preset(
        "Miyato et al., 2018, equations 16 and 17; Adam as for their ResNets",
        {"loss": "hinge", "d_norm": "spectral", "d_steps": 5, **_adam(2e-4, 0.0, 0.9)}),
    "ttur": Preset(
        "Heusel et al., 2017: a learning rate for each player; here those of Zhang et al., 2019 "
        "(SAGAN), who normalise G, too",
        {"loss": "hinge", "d_norm": "spectral", **_adam(1e-4, 0.0, 0.9), "d_lr": 4e-4}),
    "pacgan": Preset("Lin et al., 2018: PacDCGAN2", {**_RADFORD, "pack": 2}),
    "r3gan": Preset(
        "Huang et al., 2024: relativistic pairs with R1 and R2; their first learning rate, and "
        "gamma 1, both constant here, decreasing in the paper",
        {"loss": "relativistic", "penalty": "r1+r2", "penalty_weight": 1.0, "d_norm": "none",
         "ema": 0.999, **_adam(2e-4, 0.0, 0.99)}),
}  # fmt: skip
