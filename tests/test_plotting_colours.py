"""Colours for colour-blind readers and for print without colour, computed from the colours themselves.

Lightness is that of CIE L*, a function of the luminance of linear light; distances are Euclidean in CIE L*a*b*, where
about 2 is what an eye can just tell apart.
"""

from itertools import combinations, pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from causal_theory.plotting.colours import COLOURS, DASHES, MARKERS, SEQUENTIAL, colour_scale, diverging

# sRGB to XYZ under daylight, IEC 61966-2-1.
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)

EYES = {
    "everyone": np.eye(3),
    # Viénot, Brettel and Mollon, Color Research and Application 24 (1999): linear light as seen without red or without
    # green receptors.
    "protanope, 1999": np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]]),
    "deuteranope, 1999": np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]]),
    # Machado, Oliveira and Fernandes, IEEE Transactions on Visualization and Computer Graphics 15 (2009), severity 1.
    "protanope, 2009": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranope, 2009": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
OLDER = ["everyone", "protanope, 1999", "deuteranope, 1999"]


def lab(colours, eye):
    """CIE L*a*b* of sRGB colours, shape (n, 3), as seen by that eye."""
    colours = np.asarray(colours)
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ EYES[eye].T, 0.0, 1.0)
    parts = seen @ XYZ.T / XYZ.sum(axis=1)
    x, y, z = np.where(parts > (6 / 29) ** 3, np.cbrt(parts), parts / (3 * (6 / 29) ** 2) + 4 / 29).T
    return np.transpose([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)])


def shades(colour_map, eye, count=65):
    return lab(colour_map(np.linspace(0.0, 1.0, count))[:, :3], eye)


def test_known_colours():
    """White is 100, 0, 0; primary red 53.24, 80.09, 67.20; and grey is grey to every eye (Machado's to two units)."""
    for eye in EYES:
        assert np.abs(lab([[1.0, 1.0, 1.0], [0.5, 0.5, 0.5]], eye)[:, 1:]).max() < (0.01 if eye in OLDER else 2.0)
    white, red = lab([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]], "everyone")
    assert abs(white[0] - 100.0) < 1e-9
    assert np.abs(red - [53.24, 80.09, 67.20]).max() < 0.02


@pytest.mark.parametrize("eye", EYES)
class TestMaps:
    """The numbers grow with the lightness, so that both maps can be read in grey."""

    @pytest.mark.parametrize("colour_map", [mpl.colormaps[SEQUENTIAL], diverging()], ids=["sequential", "diverging"])
    def test_lightness_grows_with_the_value(self, colour_map, eye):
        lightness = shades(colour_map, eye)[:, 0]
        assert np.diff(lightness).min() > 0.5
        assert lightness[-1] - lightness[0] > 70.0

    def test_a_number_and_its_negative_are_equally_far_from_zero(self, eye):
        """One is darker than the grey of zero by what the other is lighter.

        Up to what an eye can just tell; the matrices of 2009 do not keep lightness, and get four units.
        """
        lightness = shades(diverging(), eye)[:, 0]
        sums = lightness + lightness[::-1] - 2.0 * lightness[32]
        assert np.abs(sums).max() < (2.0 if eye in OLDER else 4.0)

    def test_signs_differ_in_hue(self, eye):
        """From a fifth of the scale on: blue has a negative b*, yellow a positive one."""
        blue_yellow = shades(diverging(), eye)[:, 2]
        assert blue_yellow[:26].max() < -10.0
        assert blue_yellow[39:].min() > 10.0


@pytest.mark.parametrize("name", ["jet", "RdBu", "viridis_r"])
def test_other_maps_would_fail(name):
    """Rainbows and maps with a pale middle go up and down; one that is turned round goes down."""
    assert np.diff(shades(mpl.colormaps[name], "everyone")[:, 0]).min() < 0.0


class TestDiverging:
    def test_zero_is_grey(self):
        red, green, blue, _ = diverging()(0.5)
        assert red == green == blue

    def test_is_taken_for_both_signs_only(self):
        for values, name in (([-1.0, 0.5], "indigo_grey_yellow"), ([0.0, 2.0], SEQUENTIAL), ([-2.0, 0.0], SEQUENTIAL)):
            scale = colour_scale(np.array(values))
            assert getattr(scale["cmap"], "name", scale["cmap"]) == name

    def test_zero_lies_in_the_middle(self):
        scale = colour_scale(np.array([-1.0, 3.0]))
        assert (scale["vmin"], scale["vmax"]) == (-3.0, 3.0)


def smallest_distance(colours, eye):
    return min(np.linalg.norm(a - b) for a, b in combinations(lab([to_rgb(colour) for colour in colours], eye), 2))


class TestLines:
    @pytest.mark.parametrize("eye", EYES)
    def test_every_two_colours_are_apart(self, eye):
        """Seven times what an eye can just tell."""
        assert smallest_distance(COLOURS, eye) > 14.0

    @pytest.mark.parametrize("eye", [name for name in EYES if name != "everyone"])
    def test_the_usual_colours_would_fail(self, eye):
        """The ten colours that matplotlib takes by default are apart for everyone, but not without red or green."""
        usual = [f"C{k}" for k in range(10)]
        assert smallest_distance(usual, "everyone") > 14.0 > smallest_distance(usual, eye)

    @pytest.mark.parametrize("eye", EYES)
    def test_every_colour_shows_on_white(self, eye):
        seen = lab([to_rgb(colour) for colour in COLOURS], eye)
        assert np.linalg.norm(seen - lab([[1.0, 1.0, 1.0]], eye), axis=1).min() > 35.0

    def test_dashes_and_markers_tell_lines_apart_without_colour(self):
        assert len(set(MARKERS)) == len(set(DASHES)) == len(COLOURS)

    def test_sampled_categories_keep_their_order_in_grey(self):
        """Up to six categories, as phase diagrams draw them, are at least ten units of lightness apart."""
        for count in range(2, 7):
            lightness = lab(mpl.colormaps[SEQUENTIAL](np.linspace(0.0, 1.0, count))[:, :3], "everyone")[:, 0]
            assert min(b - a for a, b in pairwise(lightness)) > 10.0
