"""Whether a network is being run or recorded; for a record it has to ask less of its input."""

import torch


def is_recorded():
    """Whether the program is being recorded: then it runs later, on inputs of other sizes.

    ``torch.jit.trace`` and the exporters record, and so does ``torch.compile``. Sizes may be no
    numbers there, and values are none.

    Examples
    --------
    >>> is_recorded()
    False

    Book: use, use-export
    """
    return torch.jit.is_tracing() or torch.compiler.is_compiling()
