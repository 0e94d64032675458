"""The house style, figures with alternative text, and sliders; nothing here knows about networks.

>>> from mgtutorial.figures import COLOURS
>>> COLOURS["blue"]
'#0072B2'
"""

from .complex_plane import DENSITY, REDUCTION, Bands, Plane, Relief
from .images import show, to_svg, to_webp
from .sliders import Frames, StaticSlider, slider
from .style import COLOURS, use_style

__all__ = [
    "COLOURS",
    "DENSITY",
    "REDUCTION",
    "Bands",
    "Frames",
    "Plane",
    "Relief",
    "StaticSlider",
    "show",
    "slider",
    "to_svg",
    "to_webp",
    "use_style",
]
