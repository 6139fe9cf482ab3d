"""The example class of docs/models.md runs as it is printed there."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from serving import Served, data_url, with_images

GUIDE = Path(__file__).parents[2] / "docs" / "models.md"


def test_example_class_of_the_guide_answers(start_server: Callable[..., Served], tmp_path: Path) -> None:
    found = re.search(
        r"```python\n(# my_models/page_size\.py\n.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found is not None
    (tmp_path / "page_size.py").write_text(found[1])
    served = start_server(path=str(tmp_path), class_path="page_size:PageSize", params={"unit": "pixels"})
    served.wait_for("model ready")
    buffer = io.BytesIO()
    Image.new("L", (30, 20)).save(buffer, format="PNG")
    reply = served.post(with_images("Size:", data_url(buffer.getvalue())))
    assert reply.body["choices"][0]["message"]["content"] == "Size: 30 x 20 pixels"
    assert served.ask("no picture").body["error"]["code"] == "bad_image"
