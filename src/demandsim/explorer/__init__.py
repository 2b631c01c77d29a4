"""The explorer: a local page to play with the assumptions of a study.

What a slider may do, and what follows from it, is plain Python without a browser (`intervals`, `sliders`,
`exploring`, `commands`); `page` shows it with `controls` and `panes`, and `serving` serves it on this machine.
"""
