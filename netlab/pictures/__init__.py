"""Pictures of a cluster: boxes, frames and arrows as values, their layout, and the texts of a picture.

Each question has a module that makes a ``Picture`` (``model.py``): ``reach``, ``policies``, ``topology``. Each text has
a module that prints one: ``svg``, ``dot``, ``mermaid``. No question knows a text, and no text knows a question.
"""
