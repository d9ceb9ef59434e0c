"""Recipes: which objective with which optimiser and which settings, from the papers.

A preset is a set of values of `Config`. What makes up a recipe (`RECIPE`) and is not named by it
is as in `Config`; the rest (networks, batch size, ...) stays as it is. The running mean of G's
weights, too, unless the paper's samples were drawn from one.
"""

from typing import NamedTuple

__all__ = ["PRESETS", "RECIPE", "Preset"]

RECIPE = (
    "loss", "smooth", "g_optimiser", "d_optimiser", "g_lr", "d_lr", "beta1", "beta2", "d_steps",
    "d_norm", "penalty", "penalty_weight", "penalty_every", "clip_weights", "pack",
    "minibatch_std",
)  # fmt: skip


class Preset(NamedTuple):
    """Settings and where they are from.

    Attributes
    ----------
    source : str
        Paper and section.
    settings : dict
        Values of fields of `Config`.
    """

    source: str
    settings: dict


def _adam(lr, beta1, beta2=0.999):
    return {
        "g_optimiser": "adam", "d_optimiser": "adam", "g_lr": lr, "d_lr": lr,
        "beta1": beta1, "beta2": beta2,
    }  # fmt: skip


PRESETS = {
    "gan": Preset(
        "Goodfellow et al., 2014, section 3; optimiser of Radford et al., 2016",
        {"loss": "non-saturating", **_adam(2e-4, 0.5)},
    ),
    "minimax": Preset(
        "Goodfellow et al., 2014, equation 1, to see G's gradient vanish",
        {"loss": "minimax", **_adam(2e-4, 0.5)},
    ),
    "dcgan": Preset(
        "Radford et al., 2016, section 4",
        {"loss": "non-saturating", **_adam(2e-4, 0.5)},
    ),
    "lsgan": Preset(
        "Mao et al., 2017, section 4", {"loss": "least-squares", **_adam(2e-4, 0.5)}
    ),
    "wgan": Preset(
        "Arjovsky et al., 2017, algorithm 1",
        {
            "loss": "wasserstein", "clip_weights": 0.01, "d_steps": 5,
            "g_optimiser": "rmsprop", "d_optimiser": "rmsprop", "g_lr": 5e-5, "d_lr": 5e-5,
        },
    ),
    "wgan-gp": Preset(
        "Gulrajani et al., 2017, algorithm 1",
        {
            "loss": "wasserstein", "penalty": "wgan-gp", "penalty_weight": 10.0, "d_steps": 5,
            "d_norm": "none", **_adam(1e-4, 0.0, 0.9),
        },
    ),
    "dragan": Preset(
        "Kodali et al., 2017, section 3; optimiser of Radford et al., 2016",
        {
            "loss": "non-saturating", "penalty": "dragan", "penalty_weight": 10.0,
            "d_norm": "none", **_adam(2e-4, 0.5),
        },
    ),
    "r1": Preset(
        "Mescheder et al., 2018, section 4.1 and appendix D",
        {
            "loss": "non-saturating", "penalty": "r1", "penalty_weight": 10.0, "d_norm": "none",
            "g_optimiser": "rmsprop", "d_optimiser": "rmsprop", "g_lr": 1e-4, "d_lr": 1e-4,
            "ema": 0.999,
        },
    ),
    "sngan-hinge": Preset(
        "Miyato et al., 2018, equations 16 and 17; Adam as for their ResNets",
        {"loss": "hinge", "d_norm": "spectral", "d_steps": 5, **_adam(2e-4, 0.0, 0.9)},
    ),
    "ttur": Preset(
        "Heusel et al., 2017: a rate for each player; those of Zhang et al., 2019 (SAGAN), whose "
        "G is normalised, too",
        {"loss": "hinge", "d_norm": "spectral", **_adam(1e-4, 0.0, 0.9), "d_lr": 4e-4},
    ),
    "pacgan": Preset(
        "Lin et al., 2018: PacDCGAN2",
        {"loss": "non-saturating", "pack": 2, **_adam(2e-4, 0.5)},
    ),
    "r3gan": Preset(
        "Huang et al., 2024: relativistic pairs with R1 and R2; their first rate, and gamma 1, "
        "both held where theirs fall",
        {
            "loss": "relativistic", "penalty": "r1+r2", "penalty_weight": 1.0, "d_norm": "none",
            "ema": 0.999, **_adam(2e-4, 0.0, 0.99),
        },
    ),
}  # fmt: skip
