"""Every figure, pixel by pixel, against a stored picture; and the same with one number changed, which must differ.

``python -m tests.images`` draws the stored pictures anew. They hold no text, see :mod:`tests.images`.
"""

import matplotlib as mpl
import pytest
from matplotlib.testing.compare import compare_images

from causal_theory import plotting

from .images import FOLDER, PICTURES, save

mpl.use("agg")

TOLERANCE = 0.5
"""Root mean square of all pixels and channels, of 255.

Matplotlib 3.9.4, 3.10.8 and 3.11.2 draw the same pixels, a difference of 0. The tolerance leaves room for a processor
that rounds differently: one level in a quarter of all pixels. A changed number makes a difference of 1.48 or more.
"""


def difference(name, folder, *, changed=False):
    """Fault of a picture in words, with the paths of the new one and of the difference, or None."""
    path = folder / f"{name}.png"
    save(name, path, changed=changed)
    return compare_images(str(FOLDER / path.name), str(path), TOLERANCE)


@pytest.mark.parametrize("name", PICTURES)
def test_looks_as_stored(name, tmp_path):
    wrong = difference(name, tmp_path)
    assert wrong is None, wrong


@pytest.mark.parametrize("name", PICTURES)
def test_a_changed_number_is_seen(name, tmp_path):
    wrong = difference(name, tmp_path, changed=True)
    assert wrong is not None
    assert (tmp_path / f"{name}-failed-diff.png").exists()
    assert f"{name}-failed-diff.png" in wrong


def test_every_public_function_has_a_picture():
    drawing = {name for name in plotting.__all__ if name.startswith("plot_")}
    assert {picture.plot.__name__ for picture in PICTURES.values()} == drawing
    assert set(plotting.__all__) - drawing == {"figure_style", "save_figure"}


def test_every_stored_picture_is_compared():
    assert {path.stem for path in FOLDER.glob("*.png")} == set(PICTURES)
