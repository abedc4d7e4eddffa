"""A lab that follows a live cluster: lists, watches, and changes of the lab in batches."""
