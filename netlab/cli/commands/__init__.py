"""One module per command family; each is imported when one of its commands is called."""
