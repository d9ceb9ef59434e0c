"""Steppers: make training steps one by one, or, on a GPU, replay a CUDA graph of one step.

The trainer knows nothing of this. Each of its steps does the same operations on newly drawn
numbers. Therefore a step can be recorded (``backend/cuda/graph.py``), and its replay gives the same
result to the last bit.
"""

import sys

from ..backend import ops_of
from ..gan.trainer import Step, Trainer


def stepper_for(trainer: Trainer) -> "EagerStepper":
    """Return the fastest stepper for this trainer: a `GraphStepper`, or else an `EagerStepper`.

    If steps on a GPU cannot be recorded, a line on stderr gives the reason.
    """
    if ops_of(trainer.generator.theta).on_host:
        return EagerStepper(trainer)
    reason = _difference(trainer)
    if reason:
        _say(reason)
    return EagerStepper(trainer) if reason else GraphStepper(trainer)


class EagerStepper:
    """Makes the steps of a trainer one by one.

    Attributes
    ----------
    max_steps : int
        Largest number of steps in one call of `run`.
    """

    max_steps = 1

    def __init__(self, trainer: Trainer):
        self.trainer = trainer

    def run(self, steps: int) -> Step:
        """Make this many steps, at least 1; return the `Step` of the last one."""
        for _ in range(steps):
            found = self.trainer.step()
        return found

    def close(self) -> None:
        """Do nothing: only a recording needs memory of its own."""


class GraphStepper(EagerStepper):
    """Makes the first step directly, and replays a CUDA graph of a step for all others.

    If recording fails, a line on stderr gives the reason, and the steps are made one by one.
    """

    max_steps = 10

    def __init__(self, trainer: Trainer):
        from ..backend.cuda.graph import Recorder  # only here: it needs CuPy

        super().__init__(trainer)
        self.recorder = Recorder(trainer.step)

    def run(self, steps: int) -> Step:
        """Make this many steps, at least 1; return the `Step` of the last one.

        Afterwards the trainer is in the state in which single steps would have left it, on the
        host, too: its random generators have drawn for these steps and for no more.
        """
        if not self.recorder.draws:
            found = self.recorder.run_first()
            steps -= 1
            if not steps:
                return Step(*found[-1])
        if self.max_steps > 1 and not self.recorder.graph:
            self.record()
        if self.max_steps == 1:
            return super().run(steps)
        found = self.recorder.run(steps)
        self.trainer.step_count += steps
        return Step(*found[-1])

    def record(self) -> None:
        """Record a step; if that fails, make all further steps one by one."""
        count = self.trainer.step_count
        try:
            self.recorder.record()
        except Exception as error:  # of any kind: nothing has been computed yet
            _say(f"{type(error).__name__}: {error}".partition("\n")[0])
            self.max_steps = 1
        self.trainer.step_count = count
        if self.max_steps == 1:  # not earlier: the error kept arrays of the recording alive
            self.close()

    def close(self) -> None:
        """Free the memory that only the recording needs; make no more steps."""
        self.recorder.close()


def _difference(trainer):
    """Return the reason why steps differ and cannot be recorded; None if there is none."""
    if trainer.regulariser and trainer.regulariser.every > 1:
        return "the penalty does not apply in every step"
    if trainer.instance_noise and trainer.instance_noise[1]:
        return "the instance noise falls from step to step"
    if trainer.g_optimiser.weight_decay or trainer.d_optimiser.weight_decay:
        return "a recording cannot contain weight decay"
    return None


def _say(reason):
    print(f"steps are not recorded as a CUDA graph: {reason}", file=sys.stderr)
