"""HTML pages: Jinja templates that extend one page with one style, and escape whatever they print."""

import base64
from io import BytesIO
from typing import TYPE_CHECKING

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def environment(package: str) -> Environment:
    """The templates in a package's folder `templates`, which extend `page.html.j2` of this one."""
    return Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("pipeline.runtime")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def picture(figure: "Figure") -> str:
    """A drawing as the address of an image, so that a page stays one file."""
    held = BytesIO()
    figure.savefig(held, format="png", dpi=90, metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}"
