"""The four ways of making training steps on a card that ``gpu.py`` compares."""

SIDES = {
    "eager": "scratchgan, step by step",
    "graph": "scratchgan, recorded",
    "torch": "PyTorch eager",
    "compiled": "PyTorch compiled",
}


def trainer_of(model, size, backend, dtype="float32", tf32=False):
    """A trainer on random images; the same weights on every backend."""
    import numpy as np

    from scratchgan.gan import Config, build
    from scratchgan.gan import model as networks

    shape = (2048, *networks(model).image_shape)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    config = Config("random", model, batch_size=size, dtype=dtype, tf32=tf32)
    return build(config, images, backend)


class Eager:
    """Our trainer, step by step.

    Attributes
    ----------
    memory : float
        MiB that it has taken from the card.
    note : str
        What is to be said of it.
    """

    note = ""

    def __init__(self, model, size, tf32, dtype="float32"):
        import cupy

        from scratchgan.backend import get_backend

        pool = cupy.get_default_memory_pool()
        pool.free_all_blocks()
        before = pool.total_bytes()
        self.ops, self.tf32 = get_backend("cupy"), tf32
        self.trainer = trainer_of(model, size, self.ops, dtype, tf32)
        self.set_up()
        self.memory = (pool.total_bytes() - before + self.own_bytes()) / 2**20

    def set_up(self):
        """Make the first steps."""
        self.run(2)

    def own_bytes(self):
        """Memory that is in no default pool."""
        return 0

    def prepare(self):
        """Before a block: the other precision's sides may have changed this."""
        self.ops.allow_tf32(self.tf32)

    def run(self, steps):
        """Make so many steps, without waiting for them."""
        for _ in range(steps):
            self.trainer.step()

    def wait(self):
        """Until they are made."""
        self.ops.synchronize()

    def close(self):
        """Give back what is not given back by itself."""


class Graph(Eager):
    """Our trainer, recorded."""

    def set_up(self):
        """Record a step."""
        from scratchgan.runs.steps import stepper_for

        self.stepper = stepper_for(self.trainer)
        self.run(2)
        self.note = "" if self.stepper.max_steps > 1 else "could not be recorded"

    def own_bytes(self):
        """Those of the recorder's pool."""
        recorder = getattr(self.stepper, "recorder", None)
        return recorder.pool.total_bytes() if recorder else 0

    def run(self, steps):
        """Make so many steps, in pieces as a run makes them, without waiting for them."""
        while steps:
            n = min(steps, self.stepper.max_steps)
            self.stepper.run(n)
            steps -= n

    def close(self):
        """The recording's memory."""
        self.stepper.close()


class Torch:
    """The same in PyTorch, D's parameters frozen in G's step; images ready on the card."""

    note, fused = "", False

    def __init__(self, model, size, tf32):
        import torch
        from torch_twin import TorchGAN

        self.torch, self.tf32, self.size = torch, tf32, size
        self.prepare()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_reserved()
        self.gan = TorchGAN(model, size, fused=self.fused, frozen=True, device="cuda")
        self.images = 2 * torch.rand(2048, *self.gan.image_shape, device="cuda") - 1
        self.set_up()
        self.memory = (torch.cuda.max_memory_reserved() - before) / 2**20

    def set_up(self):
        """Make the first steps."""
        self.run(2)

    def prepare(self):
        """Both switches: PyTorch's convolutions have one of their own."""
        self.torch.backends.cuda.matmul.allow_tf32 = self.tf32
        self.torch.backends.cudnn.allow_tf32 = self.tf32
        self.torch.backends.cudnn.benchmark = True

    def run(self, steps):
        """Make so many steps, without waiting for them."""
        for _ in range(steps):
            indices = self.torch.randint(len(self.images), (self.size,), device="cuda")
            z_d, z_g = self.torch.randn(2, *self.gan.noise_shape, device="cuda")
            self.gan.losses(self.images[indices], z_d, z_g)

    def wait(self):
        """Until they are made."""
        self.torch.cuda.synchronize()

    def close(self):
        """Nothing."""


class Compiled(Torch):
    """PyTorch at its fastest without another way of writing it: compiled, in CUDA graphs."""

    fused = True

    def set_up(self):
        """Compile both networks."""
        for name in "G", "D":
            network = self.torch.compile(getattr(self.gan, name), mode="reduce-overhead")
            setattr(self.gan, name, network)
        self.run(5)

    def run(self, steps):
        """Make so many steps; what the last one found may be overwritten."""
        for _ in range(steps):
            self.torch.compiler.cudagraph_mark_step_begin()
            super().run(1)


MAKERS = {"eager": Eager, "graph": Graph, "torch": Torch, "compiled": Compiled}
