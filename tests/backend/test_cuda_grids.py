"""The kernels as files: they compile for every card, and come with the package."""

import tomllib
from fnmatch import fnmatch

import pytest

from scratchgan.backend.cuda import grids

from ..cuda import nvrtc

# Compute capabilities 7.0 (V100), 7.5 (T4), 8.0 (A100), 8.6, 8.9, 9.0 (H100): to machine code for
# the oldest and the newest, and to the assembler's language for those between.
ARCHITECTURES = "sm_70", "compute_75", "compute_80", "compute_86", "compute_89", "sm_90"


@pytest.fixture(scope="module")
def compiler():
    library = nvrtc.library()
    if library is None:
        pytest.skip("there is no NVRTC: pip install -e '.[cuda-check]'")
    return library


@pytest.mark.cuda_check
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("dtype", grids.REALS)
def test_every_kernel_compiles_for_every_card(compiler, dtype, architecture):
    options = (*grids.options(dtype), f"--gpu-architecture={architecture}", "-ftz=true")  # as CuPy
    for family in grids.FAMILIES:
        code, log = nvrtc.compile(compiler, grids.source(family), options)
        assert not log or "are deprecated" in log  # no warnings, but one of the card's age
        for name, own in grids.families().items():
            assert own != family or name.encode() in code


@pytest.mark.cuda_check
def test_the_compiler_refuses_what_is_wrong(compiler):
    with pytest.raises(RuntimeError, match='identifier "nothing" is undefined'):
        nvrtc.compile(
            compiler, grids.source("optim") + "REAL x = nothing;", grids.options("float32")
        )


@pytest.mark.cuda_check
def test_memory_is_moved_in_packs(compiler):
    """Of 16 bytes: four floats at once. The compiler drops the load of what is only written."""
    options = (*grids.options("float32"), "--gpu-architecture=compute_80")
    for family, name, loads, stores in [
        ("elementwise", "leaky_relu_grad", 2, 1),
        ("optim", "adam", 4, 3),
        ("channels", "batch_norm", 1, 1),
        ("conv", "im2col", 1, 1),
    ]:
        code, _ = nvrtc.compile(compiler, grids.source(family), options)
        own = code.decode().partition(f".entry {name}(")[2].partition("\n}")[0]
        assert own.count("st.global.v4.f32") >= stores, name
        assert own.count(".v4.f32 \t{") >= loads, name


def test_every_file_with_kernels_is_a_family():
    assert set(grids.families().values()) == set(grids.FAMILIES)
    assert len(grids.families()) == sum(grids.source(f).count("__global__") for f in grids.FAMILIES)


def test_an_installed_package_has_the_sources():
    settings = tomllib.loads((grids.FOLDER.parents[3] / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["scratchgan.backend.cuda"]
    files = [path.relative_to(grids.FOLDER.parent).as_posix() for path in grids.FOLDER.iterdir()]
    assert len(files) > len(grids.FAMILIES)
    assert all(any(fnmatch(file, pattern) for pattern in patterns) for file in files)
