"""Labs on several machines that are joined by a store."""
