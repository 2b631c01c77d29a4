"""Sphinx settings: four kinds of pages, the examples as a gallery, the equations from their registry."""

import os
import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
os.environ.setdefault("MPLBACKEND", "agg")

from saved_pictures import SavedPictures  # noqa: E402

project = "demandsim"
author = "The demandsim authors"
copyright = "2026, The demandsim authors"
version = release = metadata.version("demandsim")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "math_font",
    "equations_reference",
    "study_tables",
    "command_help",
    "rooms",
    "no_network",
]
exclude_patterns = ["_build", "images", "gallery/GALLERY_HEADER.rst", "**/README.txt", "**sg_execution_times.rst"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

templates_path = ["_templates"]
autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
# numpydoc would print every dataclass field twice: once as a parameter, once as an attribute.
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": [str(HERE.parent / "examples")],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"\.py$",
    "image_scrapers": (SavedPictures(),),
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
    "show_memory": False,
    "abort_on_example_error": True,
    "download_all_examples": False,
    "write_computation_times": False,  # that page loads its table from another machine
}

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "demandsim"
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_context = {"default_mode": "auto"}
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
suppress_warnings = ["config.cache"]
