"""How the user's functions are called: the parameters that they take."""

from inspect import Parameter, Signature, signature


def _signature(function):
    """Return a function's signature; that of ``f(*args)`` for some functions written in C."""
    try:
        return signature(function)
    except (TypeError, ValueError):
        return Signature([Parameter("args", Parameter.VAR_POSITIONAL)])


def _positional(function):
    """Return the parameters that a call without keywords fills."""
    kinds = Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD
    return [p for p in _signature(function).parameters.values() if p.kind in kinds]


def takes_dy(df):
    """Return True for df(x, dy), False for df(x): the number of parameters without defaults."""
    return sum(p.default is p.empty for p in _positional(df)) > 1


def parameters(word, function, count, wanted):
    """Return the names of a function's first parameters; refuse what does not take so many."""
    if not callable(function):
        raise TypeError(f"{word}: expected a function, got {function!r}")
    found = _signature(function)
    try:
        found.bind(*range(count))
    except TypeError as error:
        name = getattr(function, "__name__", word)
        cure = "; for f(x) and its slope there is check_function" * (word == "backward")
        raise ValueError(f"{name}{found}: called with {wanted}: {error}{cure}") from None
    names = [p.name for p in _positional(function)]
    return [*names[:count], *(f"input {i}" for i in range(len(names), count))]
