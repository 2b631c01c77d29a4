"""Locale: the words of pictures, pages and the explorer, one file a language."""

from demandsim.locale.words import Words, languages, words_of

__all__ = ["Words", "languages", "words_of"]
