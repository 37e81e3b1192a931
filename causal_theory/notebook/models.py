"""Show models, those of a user's own by what they say of themselves."""

import numpy as np

from causal_theory.models import TrainableModel
from causal_theory.notebook.arrays import array_block
from causal_theory.notebook.html import facts
from causal_theory.notebook.shown import parts_of


@parts_of.register
def _(model: TrainableModel) -> list[str]:
    flat = model.parameters
    groups = (f"{name}: {part.stop - part.start}" for name, part in model.groups.items())
    rows: dict[str, object] = {
        **{name: str(value) for name, value in model.options.items()},
        "parameters": f"{len(flat)} ({', '.join(groups)})",
        "largest absolute value": float(np.abs(flat).max(initial=0.0)),
    }
    tables = (array_block(caption, values) for caption, values in model.tables().items())
    return [facts(type(model).__name__, rows), *tables]
