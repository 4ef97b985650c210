"""How a run is shown: one matrix, from which every view is made."""
