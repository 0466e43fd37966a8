"""What may go wrong on purpose: plans of faults, and ways to damage a frame."""
