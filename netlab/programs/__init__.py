"""What a lab runs inside itself: programs, and the data that they serve."""
