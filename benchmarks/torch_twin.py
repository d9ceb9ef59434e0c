"""The same games in PyTorch, as its tutorials write them: the yardstick.

python benchmarks/torch_twin.py mlp 128      peak memory of a process that trains this alone
"""

import sys
from itertools import pairwise

import torch
from machine import peak_memory
from torch import nn


def mlp_generator():
    """The generator of model "mlp"."""
    return nn.Sequential(
        nn.Linear(100, 128, bias=False),
        nn.BatchNorm1d(128),
        nn.ReLU(),
        nn.Linear(128, 256, bias=False),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Linear(256, 784),
        nn.Tanh(),
        nn.Unflatten(1, (28, 28, 1)),
    )


def mlp_discriminator():
    """The discriminator of model "mlp"."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.1),
        nn.Linear(256, 128),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.1),
        nn.Linear(128, 1),
    )


def mlp_small_generator():
    """The generator of model "mlp-small"."""
    return nn.Sequential(
        nn.Linear(100, 256, bias=False),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Linear(256, 784),
        nn.Tanh(),
        nn.Unflatten(1, (28, 28, 1)),
    )


def mlp_small_discriminator():
    """The discriminator of model "mlp-small"."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.LeakyReLU(0.2), nn.Dropout(0.1), nn.Linear(256, 1)
    )


def weights_of_dcgan(network):
    """The initial weights of the DCGAN tutorial."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
    return network


def dcgan28_generator():
    """The generator of model "dcgan28"."""
    layers = [
        nn.Linear(100, 7 * 7 * 128, bias=False),
        nn.Unflatten(1, (7, 7, 128)),
        ChannelsFirst(),
        nn.BatchNorm2d(128),
        nn.ReLU(True),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(True),
        nn.ConvTranspose2d(64, 1, 4, 2, 1),
        nn.Tanh(),
    ]
    return weights_of_dcgan(nn.Sequential(*layers))


def dcgan28_discriminator():
    """The discriminator of model "dcgan28"."""
    layers = [
        nn.Conv2d(1, 64, 4, 2, 1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2, inplace=True),
        ChannelsLast(),
        nn.Flatten(),
        nn.Linear(7 * 7 * 128, 1),
    ]
    return weights_of_dcgan(nn.Sequential(*layers))


class ChannelsFirst(nn.Module):
    """(N, H, W, C) -> (N, C, H, W)."""

    def forward(self, x):
        """A copy, in the order PyTorch's convolutions are fastest in."""
        return x.permute(0, 3, 1, 2).contiguous()


class ChannelsLast(nn.Module):
    """(N, C, H, W) -> (N, H, W, C)."""

    def forward(self, x):
        """A view."""
        return x.permute(0, 2, 3, 1)


def dcgan_generator(size, channels=3, width=64):
    """The generator of the DCGAN tutorial, for any size."""
    widths = [width * min(2**i, 8) for i in range(size.bit_length() - 3)][::-1]
    layers = [nn.Unflatten(1, (100, 1, 1)), nn.ConvTranspose2d(100, widths[0], 4, 1, 0, bias=False)]
    for c_in, c_out in pairwise(widths):
        layers += [nn.BatchNorm2d(c_in), nn.ReLU(True)]
        layers += [nn.ConvTranspose2d(c_in, c_out, 4, 2, 1, bias=False)]
    layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU(True)]
    layers += [nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1), nn.Tanh()]
    return weights_of_dcgan(nn.Sequential(*layers))


def dcgan_discriminator(size, channels=3, width=64):
    """The discriminator of the DCGAN tutorial, for any size."""
    widths = [width * min(2**i, 8) for i in range(size.bit_length() - 3)]
    layers = [nn.Conv2d(channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
    for c_in, c_out in pairwise(widths):
        layers += [nn.Conv2d(c_in, c_out, 4, 2, 1, bias=False), nn.BatchNorm2d(c_out)]
        layers += [nn.LeakyReLU(0.2, inplace=True)]
    return weights_of_dcgan(nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 0), nn.Flatten()))


NETWORKS = {
    "mlp": (mlp_generator, mlp_discriminator, 100, (28, 28, 1)),
    "mlp-small": (mlp_small_generator, mlp_small_discriminator, 100, (28, 28, 1)),
    "dcgan28": (dcgan28_generator, dcgan28_discriminator, 100, (1, 28, 28)),
    "dcgan32": (lambda: dcgan_generator(32), lambda: dcgan_discriminator(32), 100, (3, 32, 32)),
    "dcgan64": (lambda: dcgan_generator(64), lambda: dcgan_discriminator(64), 100, (3, 64, 64)),
}


def in_order_of_torch(weights):
    """Dense (in, out) to (out, in); convolution (KH, KW, C, O) to (O, C, KH, KW).

    In both libraries a transposed convolution has the weights of the one it is the adjoint of.
    """
    return weights.transpose(3, 2, 0, 1) if weights.ndim == 4 else weights.T


class TorchGAN:
    """The two steps of the non-saturating game, with PyTorch's autograd and Adam.

    Parameters
    ----------
    model : str
        A key of `NETWORKS`.
    batch_size : int
    lr, beta1 : float
    fused : bool
        PyTorch's fused Adam instead of its default.
    frozen : bool
        Freeze D's parameters in the generator step, as tutorials do not: it saves their gradients.
    dtype, device : str
    """

    def __init__(
        self,
        model,
        batch_size,
        lr=2e-4,
        beta1=0.5,
        fused=False,
        frozen=False,
        dtype="float32",
        device="cpu",
    ):
        generator, discriminator, z_dim, self.image_shape = NETWORKS[model]
        kind, self.frozen = {"dtype": getattr(torch, dtype), "device": device}, frozen
        self.G, self.D = generator().to(**kind), discriminator().to(**kind)
        self.noise_shape = (batch_size, z_dim)
        adam = {"lr": lr, "betas": (beta1, 0.999), "fused": fused}
        self.g_optimiser = torch.optim.Adam(self.G.parameters(), **adam)
        self.d_optimiser = torch.optim.Adam(self.D.parameters(), **adam)
        self.criterion = nn.BCEWithLogitsLoss()
        self.ones = torch.ones(batch_size, 1, **kind)
        self.zeros = torch.zeros(batch_size, 1, **kind)

    def pairs(self, generator, discriminator):
        """Each parameter with the scratchgan `Param` of the same place."""
        for own, other in (self.G, generator), (self.D, discriminator):
            yield from zip(own.parameters(), other.params().values(), strict=True)

    def load(self, generator, discriminator):
        """Take over the values of two scratchgan networks."""
        with torch.no_grad():
            for parameter, param in self.pairs(generator, discriminator):
                parameter.copy_(torch.from_numpy(in_order_of_torch(param.value).copy()))

    def gradients(self, generator, discriminator):
        """Each gradient of theirs with ours."""
        for parameter, param in self.pairs(generator, discriminator):
            yield in_order_of_torch(param.grad), parameter.grad.numpy()

    def without_dropout(self):
        """The same networks, where what is dropped cannot be compared."""
        for module in self.D.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        return self

    def step(self, x, z_d, z_g):
        """One step of D on images x and noise z_d, one of G on noise z_g: both losses."""
        return tuple(loss.item() for loss in self.losses(x, z_d, z_g))

    def losses(self, x, z_d, z_g):
        """`step`, without waiting for what it finds: the losses are tensors."""
        self.d_optimiser.zero_grad()
        fake = self.G(z_d)
        d_real = self.criterion(self.D(x), self.ones)
        d_real.backward()
        d_fake = self.criterion(self.D(fake.detach()), self.zeros)
        d_fake.backward()
        self.d_optimiser.step()

        if self.frozen:
            self.D.requires_grad_(False)
        self.g_optimiser.zero_grad()
        g_loss = self.criterion(self.D(self.G(z_g)), self.ones)
        g_loss.backward()
        self.g_optimiser.step()
        if self.frozen:
            self.D.requires_grad_(True)
        return d_real.detach() + d_fake.detach(), g_loss.detach()

    def step_on(self, images, indices):
        """`step` on images[indices] and fresh noise."""
        z_d, z_g = torch.randn(2, *self.noise_shape)
        return self.step(images[indices], z_d, z_g)


if __name__ == "__main__":
    gan = TorchGAN(sys.argv[1], int(sys.argv[2]))
    images = torch.rand(1024, *gan.image_shape)
    for _ in range(5):
        gan.step_on(images, torch.randint(1024, (int(sys.argv[2]),)))
    print(peak_memory())
