"""What is not new: imported hours, edited settings, rebuilds."""
