"""Tables in the form that DVC's plot templates take."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def confusion_table(counts: NDArray[np.integer], names: Sequence[str]) -> pd.DataFrame:
    """Rows for DVC's `confusion` template, which counts equal rows.

    Args:
        counts: K×K, rows actual, columns predicted.
        names: of the K classes.
    """
    actual, predicted = np.indices(counts.shape)
    times = counts.ravel()
    return pd.DataFrame(
        {
            "actual": np.array(names)[np.repeat(actual.ravel(), times)],
            "predicted": np.array(names)[np.repeat(predicted.ravel(), times)],
        }
    )
