"""One module for each rule of ``netlab lint``; it has one value, ``RULE``."""
