#!/bin/sh
# On a machine with a CUDA card: prove the CuPy backend, then time it against PyTorch. At most eight
# minutes. Runs from the checkout, with whatever CuPy and PyTorch this Python has:
#
#     sh benchmarks/gpu.sh            PYTHON=python3.12 sh benchmarks/gpu.sh
cd "$(dirname "$0")/.." || exit 1
PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH
exec "${PYTHON:-python3}" benchmarks/gpu.py "$@"
