"""Discriminators whose layers depend on options of the run: norm, pack, labels, noise.

A model's discriminator is a function with one parameter, ``ask``: a `DiscriminatorOptions`. The
function writes its layers as a list, and takes from ``ask`` whatever depends on the options:

    def discriminator(ask=PLAIN):
        return ask.network(
            Flatten(),
            Dense(ask.inputs(784), 256), LeakyReLU(0.2),
            Dense(256, 128, bias=ask.bias), *ask.normalise(128), LeakyReLU(0.2),
            *ask.std_channel(),
            last=[Dense(ask.features(128), ask.outputs)],
        )

There are three ways to tell D the label of an image:

concat       D sees the label beside the image                     Mirza and Osindero, 2014
projection   D compares its features with a vector of the label    Miyato and Koyama, 2018
classifier   D predicts the label, too (ACGAN)                     Odena et al., 2017

In all three, G takes an embedding of the label in place of some of the noise. Two limits: norm
"spectral" does not normalise the embedding of "projection"; and with "concat" the instance noise is
added to the embedding of the label, too.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from ..layers import (  # isort: skip
    Augment, BatchNorm, ConcatLabels, Embedding, Flatten, GaussianNoise, Layer, LayerNorm,
    LinearMap, MinibatchStd, Pack, Projection, Reshape, Sequential, SpectralNorm,
)  # fmt: skip
from ..layers.init import normal

NORMS = ("model", "layer", "spectral", "none")
CONDITIONS = ("concat", "projection", "classifier")
AUGMENTATIONS = (
    "translation", "cutout", "translation+cutout", "colour", "colour+translation",
    "colour+cutout", "colour+translation+cutout",
)  # fmt: skip
LABEL_WIDTH = 10  # numbers in the embedding of a label that is part of a network's input


@dataclass(frozen=True)
class DiscriminatorOptions:
    """Options of a run that change its discriminator.

    Parameters
    ----------
    norm : {"model", "layer", "spectral", "none"}
        "model" keeps the model's BatchNorm; "layer" puts a LayerNorm over the whole sample in its
        place; "spectral" and "none" leave it out, and "spectral" normalises all weights.
    pack : int
        Samples that D judges together: see `Pack`.
    minibatch_std : bool
        Show D's last layer how much the batch varies: see `MinibatchStd`.
    noise : float
        Standard deviation of the `GaussianNoise` on D's input; 0 for none.
    augment : str
        The `Augment` of D's input, such as "translation+cutout"; "none" for none.
    condition : {None, "concat", "projection", "classifier"}
        How D gets the labels.
    classes : int
        Number of different labels; needed with ``condition``.

    Raises
    ------
    ValueError
        An unknown name, or options that exclude each other.
    """

    norm: str = "model"
    pack: int = 1
    minibatch_std: bool = False
    noise: float = 0.0
    augment: str = "none"
    condition: str | None = None
    classes: int = 0

    def __post_init__(self):
        if self.norm not in NORMS:
            raise ValueError(f"norm: expected one of {', '.join(NORMS)}, got {self.norm!r}")
        if self.condition not in (None, *CONDITIONS):
            names = ", ".join(CONDITIONS)
            raise ValueError(f"condition: expected one of {names}, got {self.condition!r}")
        if self.pack < 1:
            raise ValueError(f"pack: expected 1 or more, got {self.pack}")
        if self.pack > 1 and self.condition:
            raise ValueError(f"pack: expected 1 with a condition, got {self.pack}: it has no label")
        if self.augment != "none" and self.condition == "concat":
            cure = "take the condition projection or classifier"
            raise ValueError(f"augment: expected none with condition 'concat'; {cure}")

    @property
    def changes(self) -> list[Layer]:
        """The layers before all others, which change what D sees at random: none to two."""
        augment = [] if self.augment == "none" else [Augment(self.augment)]
        return [*augment, *([GaussianNoise(self.noise)] if self.noise else [])]

    # ---- for the list of layers, from first to last ------------------------------------------

    def inputs(self, n: int) -> int:
        """Return the number of inputs of a first Dense layer, for samples of n numbers."""
        return self.pack * n + LABEL_WIDTH * (self.condition == "concat")

    def channels(self, C: int) -> int:
        """Return the number of input channels of a first convolution, for images of C channels."""
        if self.condition == "concat":
            wrong = "expected a first layer that is Dense, got a convolution"
            cure = "with convolutions take projection or classifier"
            raise ValueError(f"condition 'concat': {wrong}; {cure}")
        return self.pack * C

    @property
    def bias(self) -> bool:
        """True if a layer before `normalise` has a bias. A BatchNorm would cancel it."""
        return self.norm != "model"

    def normalise(self, *shape: int) -> list[Layer]:
        """Return the normalisation for samples of this shape, (H, W, C) or (C,).

        Returns
        -------
        list of Layer
            One layer, or none.
        """
        if self.norm == "model":
            return [BatchNorm(shape[-1])]
        return [LayerNorm(shape)] if self.norm == "layer" else []

    def std_channel(self) -> list[Layer]:
        """Return a list with a MinibatchStd if ``minibatch_std`` is set, else an empty list.

        Write it before the last layer. If a Dropout comes there, write it before the Dropout:
        dropout masks differ between samples even if the samples do not.
        """
        return [MinibatchStd()] if self.minibatch_std else []

    def features(self, n: int) -> int:
        """Return the number of inputs of the last layer: n, plus one after a `std_channel`."""
        return n + self.minibatch_std

    @property
    def outputs(self) -> int:
        """Number of outputs of the last layer: one logit, plus one for each class D predicts."""
        return 1 + self.classes * (self.condition == "classifier")

    def weights(self, layer: Layer) -> Layer:
        """Wrap a layer in SpectralNorm, if it has weights and ``norm`` is "spectral".

        `network` does this for the layers in its list. Do it yourself for a layer inside another
        one, such as a `Residual`.
        """
        spectral = self.norm == "spectral" and _weights(layer) is not None
        return SpectralNorm(layer) if spectral else layer  # type: ignore[arg-type]

    def network(self, *layers: Layer, last: list[Layer]) -> Layer:
        """Build the discriminator from its list of layers.

        Parameters
        ----------
        *layers : Layer
            All that comes before ``last``.
        last : list of Layer
            The last layer with weights, and the layers after it.

        Returns
        -------
        Layer
            Takes x (N, ...) to (N, `outputs`); with "concat" or "projection", pairs (x, labels).

        Raises
        ------
        ValueError
            The list leaves out a layer that the options need.
        """
        w = _weights(last[0])
        if w is None or w.shape[-1] != self.outputs:
            raise ValueError(f"last: expected a layer with {self.outputs} outputs, got {last[0]}")
        pack = [Pack(self.pack)] if self.pack > 1 else []
        body, head = [*self.changes, *pack, *map(self.weights, layers)], [*map(self.weights, last)]
        if self.condition == "projection":
            *kernel, C, _ = w.shape
            F = math.prod(kernel) * C  # a convolution looks at the whole image, (KH, KW, C)
            e = Embedding(self.classes, F, init=normal(F**-0.5))  # so that |e| is about 1
            head = [Reshape((*kernel, C)), *head] if kernel else head
            network: Layer = Projection(Sequential(*body, Flatten()), e, Sequential(*head))
        else:
            network = Sequential(*body, *head)
        self._check(network)
        concat = self.condition == "concat"
        return ConcatLabels(network, Embedding(self.classes, LABEL_WIDTH)) if concat else network

    def _check(self, network):
        """Raise ValueError if the network leaves out a layer that the options need."""
        layers = network.sublayers().values()
        normalised = [layer.layer for layer in layers if isinstance(layer, SpectralNorm)]
        for layer in layers:
            where = f"{layer} in a discriminator with norm {self.norm!r} (option d_norm)"
            if isinstance(layer, BatchNorm) and self.norm != "model":
                raise ValueError(
                    f"{where}: leave it out, or write *ask.normalise(...) in its place"
                )
            if self.norm == "spectral" and _weights(layer) and layer not in normalised:
                raise ValueError(f"{where}: write ask.weights(...) around it")
        if self.minibatch_std and not any(isinstance(layer, MinibatchStd) for layer in layers):
            raise ValueError("minibatch_std: write *ask.std_channel() before the last layer")


PLAIN = DiscriminatorOptions()


def make_discriminator(discriminator: Callable, ask: DiscriminatorOptions = PLAIN) -> Layer:
    """Build a model's discriminator with the given options.

    Parameters
    ----------
    discriminator : callable, (ask) -> Layer, or () -> Layer
        Without a parameter called ``ask``, the function allows the options ``noise``, ``augment``,
        ``norm`` (if the network has no BatchNorm) and condition "projection". Its last layer with
        weights then gives the logit, and all layers before it give the features.
    ask : DiscriminatorOptions

    Returns
    -------
    Layer
        Not yet initialised.

    Raises
    ------
    ValueError
        The function does not take ``ask``, and the network does not allow an option.
    """
    if "ask" in inspect.signature(discriminator).parameters:
        return discriminator(ask=ask)
    simple = replace(PLAIN, noise=ask.noise, augment=ask.augment, classes=ask.classes)
    network = discriminator()
    if ask == simple:
        return Sequential(*ask.changes, network) if ask.changes else network
    layers = network.layers if isinstance(network, Sequential) else ()
    heads = [i for i, layer in enumerate(layers) if _weights(layer) is not None]
    condition = None if ask.condition == "projection" else ask.condition
    if not heads or replace(ask, norm="model", condition=condition) != simple:
        name = getattr(discriminator, "__name__", "discriminator")
        options = {f.name: getattr(ask, f.name) for f in fields(ask)}
        needs = [f"{k}={v!r}" for k, v in options.items() if v != getattr(simple, k)]
        raise ValueError(
            f"{name}(): expected a parameter ask, because the run needs {', '.join(needs)}; "
            "write the function as def discriminator(ask): ..., as gan/discriminator.py shows"
        )
    return ask.network(*layers[: heads[-1]], last=list(layers[heads[-1] :]))


def _weights(layer):
    """Return the weights w of a linear map, or None."""
    return layer.w if isinstance(layer, LinearMap) else None
