"""The compatibility checks: four stages, four questions, each an ordinary pytest test."""
