"""Sentences: results, warnings and notes in words, for pages and terminals."""
