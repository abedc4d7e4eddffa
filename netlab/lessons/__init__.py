"""Lessons of ``netlab learn``: a text, a question, a task, and packets that check both.

Each folder here whose name begins with a number is a lesson. docs/lessons.md has all of them.
"""
