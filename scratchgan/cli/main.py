"""``python -m scratchgan``: one subcommand a job."""

import argparse
import importlib.util
import inspect
import sys
from pathlib import Path

import numpy as np

from ..catalogue import layer_cases, loss_cases, network_cases, penalty_cases
from ..files import write_atomically
from ..gan import draw_noise, generate, z_dim
from ..gradcheck import ADJOINT, FIRST, SECOND, check, check_loss
from ..layers import Layer
from ..plots import sample_grid, save_image
from ..runs import load_generator
from ..runs.score import digit_judge, real_digits, score_run
from .train import exit_status

HEADER = """\
| run | FID | times that of real digits | precision | recall | KL of classes | as asked |
|---|---:|---:|---:|---:|---:|---:|"""


def main(argv=None):
    """Parse the command line, do the job, return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scratchgan", description=__doc__)
    jobs = parser.add_subparsers(dest="job", required=True)

    job = jobs.add_parser("gradcheck", help="check hand-written gradients against differences")
    job.add_argument("layer", nargs="?", help="FILE.py:NAME, a Layer class or object of your own")
    job.add_argument("--input-shape", help="with the batch axis, such as 4,6")
    job.add_argument("--seed", type=int, default=0)
    job.set_defaults(run=gradcheck)

    job = jobs.add_parser("sample", help="draw new images from a trained generator")
    job.add_argument("run_dir", type=Path, help="the --out of a training run")
    job.add_argument("--n", type=int, default=64, help="how many (default: 64)")
    job.add_argument(
        "--out", type=Path, default=Path("samples.png"), help=".png or .npz (default: samples.png)"
    )
    job.add_argument("--label", type=int, help="of a conditional run; every class in turn, if left")
    job.add_argument("--seed", type=int, default=0, help="of the noise (default: 0)")
    job.add_argument("--backend", choices=["auto", "numpy", "cupy"], default="auto")
    job.set_defaults(run=sample)

    job = jobs.add_parser("score", help="how near a run's digits are to MNIST's")
    job.add_argument("run_dir", type=Path, nargs="+", help="the --out of training runs")
    job.add_argument("--data", help="folder with MNIST's files")
    job.add_argument("--seed", type=int, default=0)
    job.add_argument("--backend", choices=["auto", "numpy", "cupy"], default="auto")
    job.set_defaults(run=score)

    options = parser.parse_args(argv)
    return exit_status(lambda: options.run(options))


def gradcheck(options):
    """One line for everything in the catalogue, or the whole table for a layer of the user's."""
    if options.layer:
        layer = load_layer(options.layer)
        report = check(layer, _shape(options.input_shape), options.seed)
        print(report)
        return 0 if report.passed else 1
    reports = [check(layer, shape, options.seed) for layer, shape in layer_cases()]
    for name, network, shape in network_cases():
        reports.append(check(network, shape, options.seed))
        reports[-1].subject = name
    for name, loss, shapes in loss_cases() + penalty_cases():
        reports.append(check_loss(loss, *shapes, seed=options.seed))
        reports[-1].subject = name
    failed = [report for report in reports if not report.passed]
    for report in reports:
        subject = report.subject if len(report.subject) <= 72 else report.subject[:69] + "..."
        verdict = "ok" if report.passed else "FAILED"
        print(f"{subject:72}  {len(report.rows):3} checks  worst {report.worst():.0e}  {verdict}")
    for report in failed:
        print(f"\n{report}")
    rows = [row for report in reports for row in report.rows]
    kinds = {"first order": FIRST, "second order": SECOND, "identities": ADJOINT}
    for kind, tolerance in kinds.items():
        error = max((row.error for row in rows if row.tolerance == tolerance), default=0.0)
        print(f"worst error, {kind}: {error:.1e} of {tolerance:.0e} allowed")
    checks = len(rows)
    print(f"{len(reports)} subjects, {checks} checks, {len(failed)} subjects failed")
    return 1 if failed else 0


def sample(options):
    """A grid of new images, or an .npz with ``images``: uint8 (N, H, W), or (N, H, W, C).

    Of a conditional run, the .npz has their ``labels`` (N,), too.
    """
    if options.n < 1:
        raise ValueError(f"--n {options.n} given, at least 1 wanted")
    if options.out.suffix not in (".png", ".npz"):
        raise ValueError(f"--out {options.out} given, a name in .png or .npz wanted")
    generator, config = load_generator(options.run_dir, options.backend)
    z = draw_noise(np.random.default_rng(options.seed), options.n, z_dim(config), config.noise)
    labels = None
    if config.condition:
        labels = np.arange(options.n) % config.classes
        if options.label is not None:
            if not 0 <= options.label < config.classes:
                raise ValueError(f"--label {options.label} given, 0 to {config.classes - 1} wanted")
            labels[:] = options.label
    elif options.label is not None:
        raise ValueError(f"--label {options.label} given; {options.run_dir} knows no labels")
    images = generate(generator, z, labels)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if options.out.suffix == ".png":
        save_image(sample_grid(images), options.out)
    else:
        images = images[..., 0] if images.shape[-1] == 1 else images
        arrays = {"images": images} | ({} if labels is None else {"labels": labels})
        write_atomically(options.out, lambda file: np.savez_compressed(file, **arrays))
    print(f"{options.out}: {options.n} images from {options.run_dir}")
    return 0


def score(options):
    """A table with a line a run."""
    judge = digit_judge(options.data)
    shared = {"judge": judge, "real": real_digits(judge, options.data)}
    for i, run_dir in enumerate(options.run_dir):
        found = score_run(
            run_dir, options.data, seed=options.seed, backend=options.backend, **shared
        )
        if not i:
            print(HEADER)
        asked = "" if found.accuracy is None else f"{found.accuracy:.1%}"
        print(
            f"| {run_dir} | {found.fid:.2f} | {found.fid / found.floor:.1f} "
            f"| {found.precision:.3f} | {found.recall:.3f} | {found.classes_kl:.4f} | {asked} |"
        )
    return 0


def load_layer(target):
    """The layer that ``FILE.py:NAME`` names; a class is called without arguments."""
    file, _, name = target.partition(":")
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"{file!r} given, a file wanted: FILE.py:NAME")
    if not name:
        raise ValueError(f"{target!r} given, a layer's name wanted, too: FILE.py:NAME")
    sys.path.insert(0, str(path.parent.resolve()))  # for what the file imports from beside it
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        layer = getattr(module, name)
        if isinstance(layer, type) and issubclass(layer, Layer):
            try:
                inspect.signature(layer).bind()
            except TypeError as error:
                instead = f"name an object: `layer = {name}(...)` in the file, then {file}:layer"
                raise TypeError(f"{error}; {instead}") from None
            layer = layer()
    except Exception as error:  # whatever stands in the user's file
        raise ValueError(f"{target!r}: {type(error).__name__}: {error}") from error
    if not isinstance(layer, Layer):
        raise ValueError(f"{target!r}: {name} is {layer!r}, a Layer wanted")
    return layer


def _shape(text):
    try:
        shape = tuple(int(n) for n in text.split(","))
    except (AttributeError, ValueError):
        shape = ()
    if not shape or min(shape) < 1:
        raise ValueError(f"--input-shape {text} given, such as 4,6 wanted (batch axis first)")
    return shape


if __name__ == "__main__":
    sys.exit(main())
