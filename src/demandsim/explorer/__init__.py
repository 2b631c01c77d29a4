"""The explorer: a local page to play with the assumptions of a study.

What a slider may do, and what follows from it, is plain Python without a browser (`sliders`, `session`, `replay`);
`page` shows it with `controls` and `panes`, and `server` serves it on this machine.
"""
