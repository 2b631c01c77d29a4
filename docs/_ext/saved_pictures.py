"""A scraper for the gallery: an example's pictures are the files that it writes to ``out/``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sphinx_gallery.scrapers import figure_rst


class SavedPictures:
    """Take each picture once, after the block that wrote it."""

    def __repr__(self) -> str:
        return "SavedPictures"

    def __call__(self, block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any], **kwargs: Any) -> str:
        """Move new pictures of ``out/`` to where the gallery wants them, and return the text that shows them."""
        folder = Path(block_vars["src_file"]).parent / "out"
        names = []
        for picture in sorted(folder.glob("*.png")) if folder.is_dir() else []:
            target = next(block_vars["image_path_iterator"])
            shutil.move(picture, target)
            names.append(target)
        return figure_rst(names, gallery_conf["src_dir"])
