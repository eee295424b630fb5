"""What a reader sees at once and a test of numbers does not: texts on texts, keys on data, things cut off."""

from itertools import combinations

from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import BboxBase


def clashes(figure: Figure, keys_on_axes: bool = False) -> list[str]:
    """Return what lies outside the figure, texts that overlap, and keys that overlap axes of the figure."""
    figure.draw_without_rendering()
    page = figure.bbox
    texts = [(text.get_text(), text.get_window_extent()) for text in _visible_texts(figure)]
    keys = [("key of " + key.get_texts()[0].get_text(), key.get_window_extent()) for key in _keys(figure)]
    found = [f"{name} is cut" for name, box in texts + keys if not _inside(box, page)]
    found += [f"{a} on {b}" for (a, one), (b, other) in combinations(texts, 2) if _overlap(one, other)]
    if not keys_on_axes:
        panels = [ax.get_window_extent() for ax in figure.axes]
        found += [f"{name} on axes" for name, box in keys for panel in panels if _overlap(box, panel)]
    return found


def _visible_texts(figure: Figure) -> list[Text]:
    hidden: set[Text] = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            margin = 1e-9 * (high - low)
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not low - margin <= tick.get_loc() <= high + margin:
                    hidden |= {tick.label1, tick.label2}
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text not in hidden]
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def _keys(figure: Figure) -> list[Legend]:
    return [key for key in figure.findobj(Legend) if isinstance(key, Legend)]


def _inside(box: BboxBase, page: BboxBase) -> bool:
    return box.x0 >= page.x0 and box.y0 >= page.y0 and box.x1 <= page.x1 and box.y1 <= page.y1


def _overlap(one: BboxBase, other: BboxBase) -> bool:
    """Whether two boxes share more than a pixel each way."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > 1.0 and height > 1.0
