"""What a page of HTML is made of: its style, its script, and its data."""
