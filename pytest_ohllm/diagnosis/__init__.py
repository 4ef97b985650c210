"""Why it failed: from the evidence of one failure to its kind, who is to blame, and what to do."""
