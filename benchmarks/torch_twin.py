"""The same games in PyTorch, as its tutorials write them: the yardstick.

python benchmarks/torch_twin.py mlp 128      peak memory of a process that trains this alone
"""

import sys

import torch
from memory import peak_memory
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


NETWORKS = {
    "mlp": (mlp_generator, mlp_discriminator, 100, (28, 28, 1)),
    "mlp-small": (mlp_small_generator, mlp_small_discriminator, 100, (28, 28, 1)),
}


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
    """

    def __init__(self, model, batch_size, lr=2e-4, beta1=0.5, fused=False):
        generator, discriminator, z_dim, self.image_shape = NETWORKS[model]
        self.G, self.D = generator(), discriminator()
        self.noise_shape = (batch_size, z_dim)
        adam = {"lr": lr, "betas": (beta1, 0.999), "fused": fused}
        self.g_optimiser = torch.optim.Adam(self.G.parameters(), **adam)
        self.d_optimiser = torch.optim.Adam(self.D.parameters(), **adam)
        self.criterion = nn.BCEWithLogitsLoss()
        self.ones, self.zeros = torch.ones(batch_size, 1), torch.zeros(batch_size, 1)

    def load(self, generator, discriminator):
        """Take over the values of two scratchgan networks, whose dense weights are (in, out)."""
        for own, other in (self.G, generator), (self.D, discriminator):
            values = [param.value for param in other.params().values()]
            with torch.no_grad():
                for parameter, value in zip(own.parameters(), values, strict=True):
                    parameter.copy_(torch.from_numpy(value.T.copy()))

    def without_dropout(self):
        """The same networks, where what is dropped cannot be compared."""
        for module in self.D.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        return self

    def step(self, x, z_d, z_g):
        """One step of D on images x and noise z_d, one of G on noise z_g: both losses."""
        self.d_optimiser.zero_grad()
        fake = self.G(z_d)
        d_real = self.criterion(self.D(x), self.ones)
        d_real.backward()
        d_fake = self.criterion(self.D(fake.detach()), self.zeros)
        d_fake.backward()
        self.d_optimiser.step()

        self.g_optimiser.zero_grad()
        g_loss = self.criterion(self.D(self.G(z_g)), self.ones)
        g_loss.backward()
        self.g_optimiser.step()
        return d_real.item() + d_fake.item(), g_loss.item()

    def step_on(self, images, indices):
        """`step` on images[indices] and fresh noise."""
        z_d, z_g = torch.randn(2, *self.noise_shape)
        return self.step(images[indices], z_d, z_g)


if __name__ == "__main__":
    gan = TorchGAN(sys.argv[1], int(sys.argv[2]))
    images = torch.rand(4096, *gan.image_shape)
    for _ in range(20):
        gan.step_on(images, torch.randint(4096, (int(sys.argv[2]),)))
    print(peak_memory())
