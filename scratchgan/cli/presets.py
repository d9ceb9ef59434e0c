"""List the presets: settings of papers."""

from argparse import ArgumentParser, Namespace

from ..gan import PRESETS


def add_options(parser: ArgumentParser) -> None:
    """Add no option: this command has none."""


def run(options: Namespace) -> None:
    """Print each preset with its source and its settings."""
    for name, preset in PRESETS.items():
        print(f"{name}: {preset.source}")
        print("    " + " ".join(f"--{k.replace('_', '-')} {v}" for k, v in preset.settings.items()))
