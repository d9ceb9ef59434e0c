"""In which way a run makes its steps: one by one, or on a GPU recorded once, as a CUDA graph.

The trainer knows nothing of it. Its step does the same operations each time, on other draws; so it
can be recorded (``backend/cuda/graph.py``), and what comes out is the same to the last bit.
"""

import sys

from ..backend import ops_of
from ..gan.trainer import Step

__all__ = ["EagerStepper", "GraphStepper", "stepper_for"]


def stepper_for(trainer):
    """The fastest way to make the steps of this trainer: a `GraphStepper`, or a `EagerStepper`.

    On a GPU a line on stderr says why, where it is not the former.
    """
    if ops_of(trainer.generator.theta).on_host:
        return EagerStepper(trainer)
    differs = _difference(trainer)
    if differs:
        _say(differs)
        return EagerStepper(trainer)
    return GraphStepper(trainer)


class EagerStepper:
    """Makes the steps of a trainer one by one.

    Attributes
    ----------
    max_steps : int
        Steps to be asked for at once.
    """

    max_steps = 1

    def __init__(self, trainer):
        self.trainer = trainer

    def run(self, steps):
        """Make so many steps, 1 or more; the `Step` of the last one."""
        for _ in range(steps):
            found = self.trainer.step()
        return found

    def close(self):
        """Make no more steps, and give back the memory that was taken for them alone."""


class GraphStepper(EagerStepper):
    """Makes the first step as it is, and all others from a recording.

    Where the step cannot be recorded, a line on stderr says why, and it goes on one by one.
    """

    max_steps = 10

    def __init__(self, trainer):
        from ..backend.cuda.graph import Recorder  # only here: it needs CuPy

        super().__init__(trainer)
        self.recorder = Recorder(trainer.step)

    def run(self, steps):
        """Make so many steps, 1 or more; the `Step` of the last one.

        After it the trainer is where single steps would have brought it, on the host, too: its
        random generators have drawn for the steps that were made, and for no more.
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

    def record(self):
        """Record a step, or find that it cannot be done."""
        count = self.trainer.step_count
        try:
            self.recorder.record()
        except Exception as error:  # whatever it is: nothing has been computed yet
            _say(f"{type(error).__name__}: {error}".partition("\n")[0])
            self.max_steps = 1
        finally:
            self.trainer.step_count = count
        if self.max_steps == 1:
            self.close()

    def close(self):
        """Make no more steps, and give back the memory that was taken for them alone."""
        self.recorder.close()


def _difference(trainer):
    """What one step does and another does not, in words; None where all are alike."""
    if trainer.regulariser and trainer.regulariser.every > 1:
        return "the penalty is not due in every step"
    if trainer.instance_noise and trainer.instance_noise[1]:
        return "the instance noise falls from step to step"
    if trainer.g_optimiser.weight_decay or trainer.d_optimiser.weight_decay:
        return "weight decay is not made for it"
    return None


def _say(reason):
    print(f"steps are not recorded as a CUDA graph: {reason}", file=sys.stderr)
