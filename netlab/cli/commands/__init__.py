"""One module for each command family, imported when one of its commands is called."""
