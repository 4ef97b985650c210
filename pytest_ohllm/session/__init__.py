"""What happens inside pytest while profiles are tested; registered only when there are some."""
